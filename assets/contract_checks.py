"""The checks that block: what must hold of the lake's tables before anything is made of them, or a release shows them."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets.dated import pairs_see_no_future
from assets.table_check import TableCheck
from assets.tables import asset_key
from assets.training import train_is_apart_from_test
from assets.workspace import Workspace
from warehouse.contracts.contract import Contract
from warehouse.contracts.rules import rule_names
from warehouse.incremental import CONTRACT, check_key, holds, passed, unchecked
from warehouse.lake import snapshot_id
from warehouse.takeover import DERIVED, GIVEN
from warehouse.verification import Broken, verify

_BLOCKING = (train_is_apart_from_test, pairs_see_no_future)
"""What must hold, beyond the contracts, of the tables that a release shows."""


def contract_spec(contract: Contract) -> dg.AssetCheckSpec:
    """Return what Dagster is told of the check of a table's contract."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=asset_key(contract.table),
        description=f"{contract.grain} It holds: {', '.join(rule_names(contract))}.",
        blocking=True,
    )


def contract_results(workspace: Workspace, contracts: Sequence[Contract]) -> Iterator[dg.AssetCheckResult]:
    """Yield for each table whether every rule of its contract holds; the lake is opened once for all of them.

    Only rows that were written since a table's last passed check are looked at.
    """
    lake = workspace.home.lake
    broken: dict[str, list[Broken]] = {}
    with lake.reading() as connection:
        snapshot, behind = snapshot_id(connection), {}
        for contract in contracts:
            pending = unchecked(connection, contract)
            if pending.is_behind:
                since = None if pending.keys is None else pending.since
                found = verify(connection, contract, lake.settings.batch_rows, pending.keys, since)
                broken[contract.table] = found
                if not found:
                    behind[check_key(contract.table, CONTRACT)] = contract.version
    passed(lake, behind, snapshot)
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


def followed(workspace: Workspace, check: TableCheck) -> dg.AssetCheckResult:
    """Return what a check finds; one that blocks, and has passed on the tables as they are, is not asked again."""
    if not check.is_blocking:
        return check(workspace)
    lake, key = workspace.home.lake, check_key(check.table, check.name)
    with lake.reading() as connection:
        snapshot, has_passed = snapshot_id(connection), holds(connection, key, check.reads)
    if has_passed:
        return dg.AssetCheckResult(passed=True, asset_key=asset_key(check.table), check_name=check.name)
    found = check(workspace)
    if found.passed:
        passed(lake, {key: ""}, snapshot)
    return found


def unchecked_tables(workspace: Workspace) -> list[str]:
    """Return the tables that a release shows and that were not seen to hold what must hold of them, as they now are."""
    contracts, found = workspace.home.contracts, []
    with workspace.home.lake.reading() as connection:
        for table, contract in contracts.items():
            is_shown = table in (*GIVEN, *DERIVED, "registry.dated") or table.startswith("dated.")
            if is_shown and unchecked(connection, contract).is_behind:
                found.append(table)
        for check in _BLOCKING:
            if not holds(connection, check_key(check.table, check.name), check.reads):
                found.append(check.table)
    return sorted(set(found))
