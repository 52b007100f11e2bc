"""The checks that block: what must hold of the lake's tables before anything is made of them, or a release shows them."""

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
    """Return what Dagster is told of the check of a table's contract."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=asset_key(contract.table),
        description=f"{contract.grain} It holds: {', '.join(rule_names(contract))}.",
        blocking=True,
    )


def blocking_results(
    run_context: RunContext, contracts: Sequence[Contract], checks: Sequence[TableCheck]
) -> Iterator[dg.AssetCheckResult]:
    """Yield for each table whether every rule of its contract holds, and what further checks find.

    Only rows that were written since a table's last passed check are looked at. A further check that has passed on the
    tables as they are is not asked again.
    """
    lake = run_context.home.lake
    broken: dict[str, list[Broken]] = {}
    with lake.reading() as connection:
        snapshot, progress = snapshot_id(connection), Progress.read(connection, run_context.marks)
        for contract in contracts:
            if not keeps_contract(progress, contract):
                since = checked_until(connection, progress, contract)
                broken[contract.table] = verify(connection, contract, lake.settings.batch_rows, since)
                if not broken[contract.table]:
                    mark = Watermark(snapshot, contract.version)
                    run_context.marks.settle({check_key(contract.table, CONTRACT): mark})
    for contract in contracts:
        found = broken.get(contract.table, [])
        yield dg.AssetCheckResult(
            asset_key=asset_key(contract.table),
            check_name=CONTRACT,
            passed=not found,
            description="; ".join(map(str, found)) or None,
            metadata={
                "rules": len(rule_names(contract)),
                **{one.rule: {"rows": one.rows, "keys": one.keys} for one in found},
            },
        )

    for check in checks:
        if has_passed(progress, check):
            yield dg.AssetCheckResult(passed=True, asset_key=asset_key(check.table), check_name=check.name)
        else:
            result = check(run_context)
            if result.passed:
                run_context.marks.settle({check_key(check.table, check.name): Watermark(snapshot, UNVERSIONED)})
            yield result
