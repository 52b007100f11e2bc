"""A run announces the step that runs, by the name of its asset."""

from dataclasses import replace

from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.runs.derive import derive


def test_each_step_is_announced_and_its_end_too(copy_home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    begun, ended = [], []

    def announce(task, total):
        begun.append((task, total))
        return lambda count: ended.append((task, count))

    run_context = open_run_context(load_settings(copy_home()))
    derive(replace(run_context, show_progress=announce), "derived_tables")
    assert {("staging.products", None), ("features.products", None)} <= set(begun)
    assert ended == [(task, 1) for task, _ in begun]
