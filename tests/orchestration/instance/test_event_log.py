"""Dagster's pages show events as soon as they are written."""

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from orchestration.config.open_context import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance, prepare_instance
from orchestration.instance.event_log import PooledEventLog

RUN = "7b4f5c1e-0000-4000-8000-000000000002"


@dg.asset(key=["raw", "products"])
def products() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3}, data_version=dg.DataVersion("one"))


@dg.asset_check(asset=products)
def contract() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def home(tmp_path):
    return open_home(load_settings(tmp_path / "home"))


def run(instance, run_id=RUN):
    job = dg.Definitions(assets=[products], asset_checks=[contract]).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance, run_id=run_id).success


def test_a_reader_of_dagsters_own_sees_what_is_written_while_the_writer_is_open(home):
    with open_instance(home) as instance, dg.DagsterInstance.from_config(str(home.dagster)) as ui:
        assert isinstance(instance.event_log_storage, PooledEventLog)
        assert not isinstance(ui.event_log_storage, PooledEventLog)
        run(instance)
        assert [each.dagster_event_type for each in ui.all_logs(RUN)] == [
            each.dagster_event_type for each in instance.all_logs(RUN)
        ]
        event = ui.get_latest_materialization_event(products.key)
        assert event.asset_materialization.metadata["rows"].value == 3
        assert ui.get_run_by_id(RUN).is_success
        checked = ui.event_log_storage.get_latest_asset_check_execution_by_key([contract.check_key])
        assert checked[contract.check_key].status.value == "SUCCEEDED"


def test_many_runs_keep_few_files_open(home):
    runs = [f"{RUN[:-1]}{number}" for number in range(6)]
    with open_instance(home) as instance:
        for each in runs:
            run(instance, each)
        assert len(instance.event_log_storage._connections) <= 4
        for each in runs:
            assert instance.get_latest_materialization_event(products.key).run_id == runs[-1]
            assert len(instance.all_logs(each)) == len(instance.all_logs(runs[0]))
    assert not instance.event_log_storage._connections


def test_what_failed_is_undone_and_the_next_event_is_written(home):
    with open_instance(home) as instance:
        run(instance)
        with pytest.raises(OperationalError), instance.event_log_storage.index_connection() as connection:
            connection.exec_driver_sql("DELETE FROM asset_keys") and connection.exec_driver_sql("no such thing")
        assert instance.get_latest_materialization_event(products.key) is not None
        run(instance, RUN[:-1] + "9")


def test_a_place_that_dagster_yaml_names_is_kept_to(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (prepare_instance(home) / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {elsewhere}\n")
    with open_instance(home) as instance:
        run(instance)
    assert list(elsewhere.rglob(f"{RUN}.db"))
    assert not list(home.dagster.rglob(f"{RUN}.db"))
