"""The checks of a lake table: its contract, and further rules; each asset runs the checks of its tables."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets.core.table_check import TableCheck
from assets.keys import asset_key
from assets.run_context import RunContext
from warehouse.contracts.contract import Contract
from warehouse.contracts.rules import rule_names
from warehouse.lake.contract_check import Broken, verify
from warehouse.lake.incremental import CONTRACT, check_key, checked_until
from warehouse.lake.watermarks import Progress, Watermark

UNVERSIONED = ""  # such a check runs again when its tables change, not when its code changes


def contract_spec(contract: Contract) -> dg.AssetCheckSpec:
    """Return Dagster's specification of the contract check of a table."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=asset_key(contract.table),
        description=f"{contract.grain} It holds: {', '.join(rule_names(contract))}.",
        blocking=True,
    )


def check_results(
    run_context: RunContext, contract: Contract, checks: Sequence[TableCheck] = ()
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of a table's contract check, then the results of its further checks."""
    yield contract_result(run_context, contract)
    yield from rule_results(run_context, checks)


def contract_result(run_context: RunContext, contract: Contract) -> dg.AssetCheckResult:
    """Return the result of a table's contract check, which reads only the rows written since the table last passed it."""
    broken: list[Broken] = []
    lake, progress = run_context.home.lake, run_context.watermarks.progress
    if not keeps_contract(progress, contract):
        with lake.reading() as connection:
            broken = verify(connection, contract, lake.settings.batch_rows, checked_until(progress, contract))
        if not broken:
            watermark = Watermark(progress.state.snapshot, contract.version)
            run_context.watermarks.settle({check_key(contract.table, CONTRACT): watermark})
    return dg.AssetCheckResult(
        asset_key=asset_key(contract.table),
        check_name=CONTRACT,
        passed=not broken,
        description="; ".join(map(str, broken)) or None,
        metadata={
            "rules": len(rule_names(contract)),
            **{one.rule: {"rows": one.rows, "keys": one.keys} for one in broken},
        },
    )


def rule_results(run_context: RunContext, checks: Sequence[TableCheck]) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of a table's further checks; one that passed on the current tables does not run again."""
    progress = run_context.watermarks.progress
    for check in checks:
        if check.is_blocking and has_passed(progress, check):
            yield dg.AssetCheckResult(passed=True, asset_key=asset_key(check.table), check_name=check.name)
        else:
            result = check(run_context)
            if result.passed and check.is_blocking:
                watermark = Watermark(progress.state.snapshot, UNVERSIONED)
                run_context.watermarks.settle({check_key(check.table, check.name): watermark})
            yield result


def keeps_contract(progress: Progress, contract: Contract) -> bool:
    """Tell whether every row of the current table passed the check of its current contract."""
    return progress.is_current(check_key(contract.table, CONTRACT), [contract.table], contract.version)


def has_passed(progress: Progress, check: TableCheck) -> bool:
    """Tell whether a check passed on the current state of the tables that it reads."""
    return progress.is_current(check_key(check.table, check.name), check.reads, UNVERSIONED)
