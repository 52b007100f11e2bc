"""The asset checks: what must hold of every table and of the index before anyone relies on them."""

import json
from collections.abc import Iterable, Iterator

import dagster as dg

from assets.gate import current_verdict, shown
from assets.monitoring import drift_table, watched_models
from assets.release import key_differences
from assets.tables import asset_key
from assets.workspace import Workspace
from warehouse import integrity, monitoring, tables
from warehouse.contracts.contract import Contract
from warehouse.contracts.dated import DatedTable
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.rules import rule_names
from warehouse.errors import WarehouseError
from warehouse.monitoring import drifted
from warehouse.verification import Broken, verify

WRITTEN_LAST = ("registry.snapshots", "registry.changes", "evaluation.folds", "evaluation.trials")
"""Tables that the end of a run or a command writes: no asset makes them, so no asset's check can look at them."""


def contract_checks(dated: Iterable[DatedTable] = ()) -> list[dg.AssetChecksDefinition]:
    """Return one check for each table: every rule of its contract holds."""
    contracts = [*CONTRACTS.values(), *(table.contract for table in dated)]
    return [_contract_check(contract) for contract in contracts if contract.table not in WRITTEN_LAST]


def _contract_check(contract: Contract) -> dg.AssetChecksDefinition:
    names = rule_names(contract)

    @dg.asset_check(
        asset=asset_key(contract.table),
        name="contract",
        description=f"{contract.grain} It holds: {', '.join(names)}.",
        blocking=True,
    )
    def check(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
        broken = _broken(workspace, contract)
        return dg.AssetCheckResult(
            passed=not broken,
            description="; ".join(map(str, broken)) or None,
            metadata={"rules": len(names), **{one.rule: {"rows": one.rows, "keys": one.keys} for one in broken}},
        )

    return check


def _broken(workspace: Workspace, contract: Contract) -> list[Broken]:
    """Return the rules that the table breaks; where it is known what the run touched, no other row is looked at."""
    lake, touched = workspace.home.lake, workspace.home.lake.touched
    version = touched.version(contract.table) if touched is not None else None
    if touched is None or version is None:
        with lake.reading() as connection:
            return verify(connection, contract, lake.settings.batch_rows)
    keys = touched.keys(contract.table)
    if keys.is_empty():
        return []
    with lake.reading() as connection:
        # As many rows as were noted: none of those that gave way is left, and what is under the keys was written since.
        is_as_noted = tables.count(connection, contract.table) == int(version.split("-")[0])
        return verify(connection, contract, lake.settings.batch_rows, keys, touched.point if is_as_noted else None)


@dg.asset_check(
    asset=asset_key("training.pairs"),
    description="No train or validation query string stands in test of the same locale.",
    blocking=True,
)
def train_is_apart_from_test(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Assert that the model never sees a query that it is measured on."""
    with workspace.home.lake.reading() as connection:
        leaked = integrity.leaked_queries(connection)
    return dg.AssetCheckResult(passed=leaked == 0, metadata={"leaked_queries": leaked})


@dg.asset_check(
    asset=asset_key("monitoring.drift"),
    description="No feature moved far from the version before, nor from what the model was trained on (PSI).",
)
def features_are_steady(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Warn of the features whose PSI reaches the setting drift_warning, in all or in one locale."""
    settings = workspace.monitoring
    moved = drifted(monitoring.drift(workspace.home.lake, watched_models(workspace)), settings, settings.drift_warning)
    names = sorted({f"{table}.{column}" for table, column in moved.select("table_name", "column_name").iter_rows()})
    return dg.AssetCheckResult(
        passed=moved.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"drifted_columns": names, "drift": drift_table(moved), "threshold": settings.drift_warning},
    )


@dg.asset_check(
    asset=asset_key("releases.live"),
    description="The live vectors are those of the catalogue: same keys, no more, no fewer.",
)
def vectors_match_the_catalogue(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Compare the keys of the live release's vectors with the products of its snapshot."""
    release = workspace.home.releases.live()
    if release is None:
        return dg.AssetCheckResult(passed=False, metadata={"reason": "there is no release"})
    missing, extra = key_differences(workspace, release.vector_table, release.vector_version, release.snapshot)
    return dg.AssetCheckResult(passed=not (missing or extra), metadata={"missing": missing, "extra": extra})


@dg.asset_check(
    asset=asset_key("releases.live"),
    description="The newest model passed the gate: it finds no less than the one that was live before it.",
)
def the_gate_let_the_model_through(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Warn while a new model is refused, or is live although it was; say what was measured."""
    live, verdict = workspace.home.releases.live(), current_verdict(workspace)
    told = shown(verdict) if verdict else json.loads(live.metrics).get("gate") if live else None
    if told is None:
        return dg.AssetCheckResult(passed=True, severity=dg.AssetCheckSeverity.WARN)
    return dg.AssetCheckResult(
        passed=told["decision"] in ("passed", "first"),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{told['decision']}: {told['reason']}",
        metadata={name: value for name, value in told.items() if value is not None},
    )


@dg.asset_check(
    asset=asset_key("releases.live"),
    description="A lookup answers with the features that the lake has at the live release's snapshot.",
)
def online_matches_offline(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Compare online and offline values of a sample of products and queries, and how many there are."""
    release = workspace.home.releases.live()
    if release is None:
        return dg.AssetCheckResult(passed=False, metadata={"reason": "there is no release"})
    try:
        different = integrity.online_differences(workspace.home, release)
    except WarehouseError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(passed=not any(different.values()), metadata={"different": different})


def all_checks(dated: Iterable[DatedTable] = ()) -> Iterator[dg.AssetChecksDefinition]:
    """Yield every asset check."""
    yield from contract_checks(dated)
    yield train_is_apart_from_test
    yield features_are_steady
    yield vectors_match_the_catalogue
    yield the_gate_let_the_model_through
    yield online_matches_offline
