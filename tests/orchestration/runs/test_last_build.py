"""A build of what the last one was made from does nothing; any other build runs."""

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime

import polars as pl
import pytest

from orchestration.commands import build as build_command
from orchestration.commands.build import BuildReport, build
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.locks import was_killed
from orchestration.runs import last_build
from warehouse.errors import WarehouseError
from warehouse.ingest.sources import input_files


def report_of_same(run_context, files):
    return last_build.report_of_same(run_context.home, last_build.inputs_of(run_context, files), files)


@pytest.fixture
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


@pytest.fixture
def no_run(monkeypatch):
    def refuse(*_given):
        raise AssertionError("a run was started")

    monkeypatch.setattr(build_command, "run_job", refuse)


def test_a_build_of_the_same_starts_no_run_and_reports_what_the_last_one_found(run_context, built, no_run):
    report = build(run_context, built.raw)
    assert (report.changed, report.new_snapshot, report.new_vectors, report.new_release) == (False,) * 4
    assert (report.texts_encoded, set(report.cleaned.values()), report.gate, report.seconds) == (0, {0}, None, {})
    assert report.run_id == built.report["run_id"]
    assert json.loads(json.dumps(report.relevance)) == built.report["relevance"]
    assert report.unknown_tokens == built.report["unknown_tokens"]


def test_it_marks_a_killed_run_as_ended(run_context, built, no_run):
    (run_context.home.root / "run.in_progress").touch()
    assert was_killed(run_context.home)
    assert not build(run_context, built.raw).changed
    assert not was_killed(run_context.home)


@pytest.mark.parametrize("change", [{"compare_all": True}, {"force": True}, {"reembed_all": True}])
def test_what_asks_for_a_run_starts_one(run_context, built, no_run, change):
    with pytest.raises(AssertionError, match="a run was started"):
        build(replace(run_context, **change), built.raw)


def test_a_build_without_files_starts_a_run(run_context, no_run):
    with pytest.raises(AssertionError, match="a run was started"):
        build(run_context)


def other_setting(run_context, _raw):
    return replace(run_context, training=run_context.training.model_copy(update={"seed": 4}))


def other_warehouse_setting(run_context, _raw):
    home = run_context.home
    return replace(
        run_context, home=replace(home, settings=home.settings.model_copy(update={"validation_percent": 30}))
    )


def other_bytes(_run_context, raw):
    path = raw / "shopping_queries_dataset_products.parquet"
    pl.read_parquet(path).reverse().write_parquet(path)


def missing_model(run_context, _raw):
    shutil.rmtree(run_context.home.models / run_context.home.releases.live().model_id)


def changed_table(run_context, _raw):
    with run_context.home.lake.writing() as connection:
        connection.execute("DELETE FROM features.products WHERE key = (SELECT min(key) FROM features.products)")


def later_release(run_context, _raw):
    live = asdict(run_context.home.releases.live())
    del live["release"]
    run_context.home.releases.publish(**live | {"kind": "rollback", "ranker_id": ""})


def missing_record(run_context, _raw):
    (run_context.home.root / "last_build.json").unlink()


def torn_record(run_context, _raw):
    path = run_context.home.root / "last_build.json"
    path.write_bytes(path.read_bytes()[:100])


def other_file_set(_run_context, raw):
    (raw / "shopping_queries_dataset_examples.parquet").unlink()


@pytest.mark.parametrize(
    "change",
    [
        other_setting,
        other_warehouse_setting,
        other_bytes,
        missing_model,
        changed_table,
        later_release,
        missing_record,
        torn_record,
        other_file_set,
    ],
)
def test_what_differs_from_the_last_build_is_built(run_context, built, tmp_path, change):
    raw = tmp_path / "raw"
    shutil.copytree(built.raw, raw)
    assert report_of_same(run_context, input_files(raw)) is not None
    run_context = change(run_context, raw) or run_context
    assert report_of_same(run_context, input_files(raw)) is None


def test_the_first_build_of_a_day_runs(run_context, built, monkeypatch):
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2100, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(last_build, "datetime", Tomorrow)
    assert report_of_same(run_context, input_files(built.raw)) is None


def test_a_build_that_fails_is_not_recorded(run_context, built, monkeypatch):
    def fail(*_given):
        raise WarehouseError("a check failed", "mend it")

    (run_context.home.root / "last_build.json").unlink()
    monkeypatch.setattr(build_command, "run_job", fail)
    with pytest.raises(WarehouseError, match="a check failed"):
        build(run_context, built.raw)
    assert report_of_same(run_context, input_files(built.raw)) is None


def test_a_build_whose_code_was_changed_meanwhile_is_not_the_same(run_context, built, monkeypatch):
    def run(*_given):
        monkeypatch.setattr(last_build, "_code", lambda: "edited")
        return BuildReport(**built.report)

    monkeypatch.setattr(build_command, "run_job", run)
    (run_context.home.root / "last_build.json").unlink()
    build(run_context, built.raw)
    assert report_of_same(run_context, input_files(built.raw)) is None
    build(run_context, built.raw)
    assert report_of_same(run_context, input_files(built.raw)) is not None
