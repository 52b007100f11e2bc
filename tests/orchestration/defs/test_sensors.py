"""A change starts exactly one run, and without a change none starts."""

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.config.automation import AutomationSettings
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.definitions import defs
from orchestration.defs.build_definitions import assemble
from orchestration.defs.schedules import why_not_train
from orchestration.defs.sensors import next_step
from orchestration.instance.locks import run_lock
from warehouse.errors import WarehouseError
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas

SETTINGS = AutomationSettings(settle_s=0, retry_s=0, attempts=2)


@pytest.fixture(scope="module")
def copied(copy_home):
    return copy_home()


@pytest.fixture
def home(copied):
    """Return a built home whose folder is empty."""
    home = open_home(load_settings(copied))
    home.incoming.mkdir(exist_ok=True)
    for path in home.incoming.glob("*.jsonl"):
        path.unlink()
    return home


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def drop(home, name, product_id="N1"):
    path = home.incoming / name
    row = {"op": "upsert", "product_locale": "us", "product_id": product_id, "product_title": "Velvet accordion"}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def launched(instance, request, status):
    """Do as the daemon does with a request, up to a status of its run."""
    job = defs.resolve_job_def("apply")
    return instance.create_run_for_job(job, run_config=request.run_config, tags=request.tags, status=status)


def test_an_empty_folder_starts_nothing(home, instance):
    assert "No file waits" in next_step(home, instance, SETTINGS).skip_message


def test_one_run_applies_all_waiting_files_under_the_live_model(home, instance):
    for name in ("b.jsonl", "a.jsonl"):
        drop(home, name)
    request = next_step(home, instance, SETTINGS)
    assert request.run_config == {"resources": {"run_context": {"config": {"incoming": True, "pin_live_model": True}}}}
    assert request.tags["stockroom/files"] == "b.jsonl, a.jsonl"
    assert dg.validate_run_config(defs.resolve_job_def("apply"), request.run_config)


def test_a_tick_reads_and_moves_nothing(home, instance, monkeypatch):
    drop(home, "a.jsonl")
    (home.incoming / "bad.jsonl").write_text("no delta")
    for step in ("check_deltas", "move"):
        monkeypatch.setattr(f"warehouse.operations.inbox.{step}", None)
    assert next_step(home, instance, SETTINGS).tags["stockroom/files"] == "a.jsonl, bad.jsonl"


def test_the_run_moves_invalid_files_aside_and_applies_the_others(copy_home, instance, monkeypatch):
    home = open_home(load_settings(copy_home()))
    monkeypatch.setenv("STOCKROOM_HOME", str(home.root))
    monkeypatch.setenv("STOCKROOM_AUTOMATION__SETTLE_S", "0")
    home.incoming.mkdir()
    drop(home, "a.jsonl")
    (home.incoming / "bad.jsonl").write_text("no delta")
    release = home.releases.live().release
    request = next_step(home, instance, SETTINGS)
    job = assemble(home.feature_views).resolve_job_def("apply")
    assert job.execute_in_process(run_config=request.run_config, instance=instance, tags=request.tags).success
    assert home.releases.live().release == release + 1
    assert {path.relative_to(home.incoming).as_posix() for path in home.incoming.rglob("*.jsonl*")} == {
        "done/a.jsonl",
        "failed/bad.jsonl",
        "failed/bad.jsonl.reason.txt",
    }
    assert "No file waits" in next_step(home, instance, SETTINGS).skip_message


def test_the_sensor_asks_for_it_from_the_start(home, instance, monkeypatch):
    monkeypatch.setenv("STOCKROOM_HOME", str(home.root))
    sensor = assemble(automation=SETTINGS).resolve_sensor_def("incoming")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == "apply"
    with dg.build_sensor_context(instance=instance) as context:
        assert "No file waits" in sensor(context).skip_message
        drop(home, "a.jsonl")
        assert sensor(context).tags["stockroom/files"] == "a.jsonl"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_is_under_way_no_other_is_started(home, instance, status):
    drop(home, "a.jsonl")
    run = launched(instance, next_step(home, instance, SETTINGS), status)
    drop(home, "b.jsonl")
    assert f"Run {run.run_id[:8]} is in progress" in next_step(home, instance, SETTINGS).skip_message


def test_while_a_command_changes_the_home_no_run_is_started(home, instance):
    drop(home, "a.jsonl")
    with run_lock(home):
        assert "A command is changing this home" in next_step(home, instance, SETTINGS).skip_message
    assert isinstance(next_step(home, instance, SETTINGS), dg.RunRequest)


def test_a_failed_run_is_retried_a_few_times_and_again_with_another_file(home, instance):
    drop(home, "a.jsonl")
    first = next_step(home, instance, SETTINGS)
    instance.report_run_failed(launched(instance, first, dg.DagsterRunStatus.STARTED))
    patient = SETTINGS.model_copy(update={"retry_s": 3600.0})
    assert "tried again in" in next_step(home, instance, patient).skip_message
    second = next_step(home, instance, SETTINGS)
    assert first.run_key != second.run_key
    assert first.run_config == second.run_config
    instance.report_run_failed(launched(instance, second, dg.DagsterRunStatus.STARTED))
    assert "The files stay in incoming/" in next_step(home, instance, SETTINGS).skip_message
    drop(home, "b.jsonl")
    assert next_step(home, instance, SETTINGS).tags["stockroom/files"] == "a.jsonl, b.jsonl"


def test_a_run_that_a_person_cancelled_is_not_started_again(home, instance):
    drop(home, "a.jsonl")
    run = launched(instance, next_step(home, instance, SETTINGS), dg.DagsterRunStatus.STARTED)
    instance.report_run_canceled(run)
    assert "ended as CANCELED" in next_step(home, instance, SETTINGS).skip_message


def test_before_the_first_release_files_wait(tmp_path, instance):
    home = open_home(load_settings(tmp_path))
    home.incoming.mkdir()
    path = drop(home, "a.jsonl")
    assert "They wait for the first release" in next_step(home, instance, SETTINGS).skip_message
    assert path.exists()


def test_no_asset_starts_runs_by_itself(instance):
    """A second thing that starts runs would start one for a change that has one already."""
    assert all(node.automation_condition is None for node in defs.resolve_asset_graph().asset_nodes)
    assert {sensor.name for sensor in defs.sensors} == {"incoming", "reindex"}
    assert {schedule.name for schedule in defs.schedules} == {"retrain", "vacuum"}


@pytest.mark.parametrize(
    ("name", "setting", "job"), [("retrain", "retrain_cron", "build"), ("vacuum", "vacuum_cron", "vacuum")]
)
def test_a_schedule_is_off_until_it_is_given_a_time(name, setting, job):
    def schedule(settings):
        return assemble(automation=settings).resolve_schedule_def(name)

    assert schedule(AutomationSettings()).default_status is dg.DefaultScheduleStatus.STOPPED
    nightly = schedule(AutomationSettings(**{setting: "30 2 * * 1-5"}))
    assert (nightly.default_status, nightly.cron_schedule) == (dg.DefaultScheduleStatus.RUNNING, "30 2 * * 1-5")
    assert nightly.job.name == job


@pytest.mark.parametrize("cron", ["0 3 * *", "0 24 * * *", "@weekly", "0 3 * * 0 *", "*/0 * * * *", "60 * * * *"])
def test_a_time_that_cron_does_not_know_is_refused(monkeypatch, cron):
    monkeypatch.setenv("STOCKROOM_AUTOMATION__RETRAIN_CRON", cron)
    with pytest.raises(WarehouseError, match="cron has five fields"):
        load_settings()


def test_a_warning_comes_before_the_failure(monkeypatch):
    monkeypatch.setenv("STOCKROOM_AUTOMATION__FRESHNESS_WARN_H", "200")
    with pytest.raises(WarehouseError, match="freshness_warn_h 200 must be less than freshness_fail_h 168"):
        load_settings()


def test_scheduled_training_wants_something_new(copy_home, tmp_path, monkeypatch):
    settings = load_settings(copy_home())
    home = open_home(settings)
    assert "unchanged since the last build" in why_not_train(settings)
    home.incoming.mkdir()
    apply_deltas(home.lake, check_deltas([drop(home, "a.jsonl")]))
    assert why_not_train(settings) is None
    assert "nothing to train on yet" in why_not_train(load_settings(tmp_path))
    assert why_not_train(load_settings(tmp_path, raw=Path("somewhere"))) is None
    monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))
    schedule = defs.resolve_schedule_def("retrain")
    with dg.build_schedule_context() as context:
        assert "nothing to train on yet" in schedule.evaluate_tick(context).skip_message


def test_raw_tables_and_release_get_stale():
    settings = AutomationSettings(freshness_warn_h=1, freshness_fail_h=2)
    nodes = {".".join(node.key.path): node for node in assemble(automation=settings).resolve_asset_graph().asset_nodes}
    policies = {name: node.freshness_policy for name, node in nodes.items() if node.freshness_policy is not None}
    assert policies.keys() == {name for name in nodes if name.startswith("raw.")} | {"releases.live"}
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
    assert set(policies.values()) == {policy}
