"""The blocking checks: rules that a lake table must keep before downstream assets or a release use it."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets.core.table_check import TableCheck
from assets.keys import asset_key
from assets.release.readiness import UNVERSIONED, has_passed, keeps_contract
from assets.run_context import RunContext
from warehouse.contracts.contract import Contract
from warehouse.contracts.rules import rule_names
from warehouse.lake.contract_check import Broken, verify
from warehouse.lake.incremental import CONTRACT, check_key, checked_until
from warehouse.lake.lake import snapshot_id
from warehouse.lake.watermarks import Progress, Watermark


def contract_spec(contract: Contract) -> dg.AssetCheckSpec:
    """Return Dagster's specification of the contract check of a table."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=asset_key(contract.table),
        description=f"{contract.grain} It holds: {', '.join(rule_names(contract))}.",
        blocking=True,
    )


def blocking_results(
    run_context: RunContext, contracts: Sequence[Contract], checks: Sequence[TableCheck]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of each table's contract check, then the results of the further checks.

    A contract check reads only the rows that were written since the table last passed it. A further check that passed on
    the current tables does not run again.
    """
    lake = run_context.home.lake
    broken: dict[str, list[Broken]] = {}
    with lake.reading() as connection:
        snapshot, progress = snapshot_id(connection), Progress.read(connection, run_context.watermarks)
        for contract in contracts:
            if not keeps_contract(progress, contract):
                since = checked_until(connection, progress, contract)
                broken[contract.table] = verify(connection, contract, lake.settings.batch_rows, since)
                if not broken[contract.table]:
                    watermark = Watermark(snapshot, contract.version)
                    run_context.watermarks.settle({check_key(contract.table, CONTRACT): watermark})
    for contract in contracts:
        violations = broken.get(contract.table, [])
        yield dg.AssetCheckResult(
            asset_key=asset_key(contract.table),
            check_name=CONTRACT,
            passed=not violations,
            description="; ".join(map(str, violations)) or None,
            metadata={
                "rules": len(rule_names(contract)),
                **{one.rule: {"rows": one.rows, "keys": one.keys} for one in violations},
            },
        )

    for check in checks:
        if has_passed(progress, check):
            yield dg.AssetCheckResult(passed=True, asset_key=asset_key(check.table), check_name=check.name)
        else:
            result = check(run_context)
            if result.passed:
                run_context.watermarks.settle({check_key(check.table, check.name): Watermark(snapshot, UNVERSIONED)})
            yield result
