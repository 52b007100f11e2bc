from pathlib import Path

import dagster as dg
import pytest

from orchestration.runs.check_failures import explain_failed_checks
from warehouse.errors import WarehouseError

RUN = "7b4f5c1e-0000-4000-8000-000000000001"


@dg.asset(key=["raw", "products"])
def products() -> None:
    """Make nothing."""


@dg.asset_check(asset=products, blocking=True)
def contract() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="key_missing: 2 rows (a, b)")


@dg.asset_check(asset=products)
def opinion() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset(key=["vectors", "products"])
def vectors() -> None:
    """Make nothing."""


@dg.asset_check(asset=vectors, blocking=True)
def rows() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="3 vectors for 4 products; compute every vector again")


def stopped_by(asset: dg.AssetsDefinition, *checks: dg.AssetChecksDefinition) -> WarehouseError:
    defs = dg.Definitions(assets=[asset], asset_checks=checks, executor=dg.in_process_executor)
    job = defs.resolve_implicit_global_asset_job_def()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(WarehouseError) as stopped,
        explain_failed_checks(instance, RUN),
    ):
        job.execute_in_process(instance=instance, run_id=RUN)
    return stopped.value


def test_a_failed_blocking_check_reports_its_violations() -> None:
    error = stopped_by(products, contract, opinion)
    assert error.message == "the run stopped: raw.products fails the check contract: key_missing: 2 rows (a, b)"
    assert "ingest corrected rows" in str(error.hint)


def test_a_failing_index_is_not_blamed_on_rows() -> None:
    error = stopped_by(vectors, rows)
    assert error.message.endswith("fails the check rows: 3 vectors for 4 products; compute every vector again")
    assert error.hint == "the tables that depend on it were not written, and searches answer as before"


def test_other_complaints_of_dagster_are_passed_on_and_point_to_a_run_that_the_ui_has(tmp_path: Path) -> None:
    for instance in (dg.DagsterInstance.local_temp(str(tmp_path)), dg.DagsterInstance.ephemeral()):
        stopped = pytest.raises(WarehouseError, match="the run stopped: no such thing")
        with instance, stopped as complaint, explain_failed_checks(instance, RUN):
            raise dg.DagsterInvariantViolationError("no such\n thing")
        in_the_ui, elsewhere = (
            f"see run {RUN[:8]} in stockroom ui",
            "correct the cause that Dagster names, then run again",
        )
        assert complaint.value.hint == (elsewhere if instance.is_ephemeral else in_the_ui)


def test_an_error_of_an_asset_is_left_as_it_is() -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(ZeroDivisionError),
        explain_failed_checks(instance, RUN),
    ):
        raise ZeroDivisionError
