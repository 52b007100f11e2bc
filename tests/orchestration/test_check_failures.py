import dagster as dg
import pytest

from orchestration.check_failures import told_of_checks
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


def test_a_blocking_check_is_told_by_what_it_found() -> None:
    defs = dg.Definitions(assets=[products], asset_checks=[contract, opinion], executor=dg.in_process_executor)
    job = defs.resolve_implicit_global_asset_job_def()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(WarehouseError) as stopped,
        told_of_checks(instance, RUN),
    ):
        job.execute_in_process(instance=instance, run_id=RUN)
    assert stopped.value.message == (
        "the run stopped: raw.products fails the check contract: key_missing: 2 rows (a, b)"
    )
    assert stopped.value.mend


def test_other_complaints_of_dagster_are_passed_on() -> None:
    stopped = pytest.raises(WarehouseError, match="the run stopped: no such thing")
    with dg.DagsterInstance.ephemeral() as instance, stopped as complaint, told_of_checks(instance, RUN):
        raise dg.DagsterInvariantViolationError("no such\n thing")
    assert complaint.value.mend == f"see run {RUN[:8]} in stockroom ui"


def test_an_error_of_an_asset_is_left_as_it_is() -> None:
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(ZeroDivisionError), told_of_checks(instance, RUN):
        raise ZeroDivisionError
