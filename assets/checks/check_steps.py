"""The asset checks of every table and of the release, and the steps that run them."""

import json
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from assets.checks.contract_checks import blocking_results, contract_spec
from assets.core.table_check import TableCheck, table_check
from assets.model.hard_negatives import negatives_are_not_relevant
from assets.release.drift import drift_table, watched_models
from assets.release.live_release import key_differences
from assets.release.promotion_gate import current_gate_result, gate_metadata
from assets.run_context import RunContext
from assets.tables.time_series import pairs_see_no_future
from assets.tables.training import train_is_apart_from_test
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.features import drift
from warehouse.features.drift import drifted
from warehouse.operations import consistency


@table_check(
    "monitoring.drift", "No feature moved far from the version before, nor from what the model was trained on (PSI)."
)
def features_are_steady(run_context: RunContext) -> dg.AssetCheckResult:
    """Warn of features whose PSI reaches the setting drift_warning, over all locales or in one."""
    settings = run_context.monitoring
    drifted_rows = drifted(
        drift.drift(run_context.home.lake, watched_models(run_context)), settings, settings.drift_warning
    )
    names = sorted(
        {f"{table}.{column}" for table, column in drifted_rows.select("table_name", "column_name").iter_rows()}
    )
    return dg.AssetCheckResult(
        passed=drifted_rows.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"drifted_columns": names, "drift": drift_table(drifted_rows), "threshold": settings.drift_warning},
    )


@table_check("releases.live", "The live vectors are those of the catalog: same keys, no more, no fewer.")
def vectors_match_the_catalog(run_context: RunContext) -> dg.AssetCheckResult:
    """Compare the keys of the live release's vectors with the products of its snapshot."""
    release = run_context.home.releases.live()
    if release is None:
        return dg.AssetCheckResult(passed=False, metadata={"reason": "there is no release"})
    missing, extra = key_differences(run_context, release.vector_table, release.vector_version, release.snapshot)
    return dg.AssetCheckResult(passed=not (missing or extra), metadata={"missing": missing, "extra": extra})


@table_check(
    "releases.live", "The newest model passed the gate: it finds no less than the one that was live before it."
)
def the_gate_let_the_model_through(run_context: RunContext) -> dg.AssetCheckResult:
    """Warn if the gate refused the new model, also if it is live by force; report the measurements."""
    live, gate_result = run_context.home.releases.live(), current_gate_result(run_context)
    metadata = gate_metadata(gate_result) if gate_result else json.loads(live.metrics).get("gate") if live else None
    if metadata is None:
        return dg.AssetCheckResult(passed=True, severity=dg.AssetCheckSeverity.WARN)
    return dg.AssetCheckResult(
        passed=metadata["decision"] in ("passed", "first"),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{metadata['decision']}: {metadata['reason']}",
        metadata={name: value for name, value in metadata.items() if value is not None},
    )


@table_check("releases.live", "A lookup answers with the features that the lake has at the live release's snapshot.")
def online_matches_offline(run_context: RunContext) -> dg.AssetCheckResult:
    """Compare the online and offline row counts, and the values of a sample of products and queries."""
    release = run_context.home.releases.live()
    if release is None:
        return dg.AssetCheckResult(passed=False, metadata={"reason": "there is no release"})
    try:
        different = consistency.online_differences(run_context.home, release)
    except WarehouseError as error:
        return dg.AssetCheckResult(passed=False, description=str(error))
    return dg.AssetCheckResult(passed=not any(different.values()), metadata={"different": different})


CHECKS = (
    train_is_apart_from_test,
    pairs_see_no_future,
    negatives_are_not_relevant,
    features_are_steady,
    vectors_match_the_catalog,
    the_gate_let_the_model_through,
    online_matches_offline,
)
"""The checks beyond the contracts."""


def check_steps(
    assets: Iterable[dg.AssetsDefinition], feature_views: Iterable[FeatureView] = ()
) -> Iterator[dg.AssetChecksDefinition]:
    """Yield one step per asset function for the checks of all its assets: a step costs more than most checks.

    Checks that do not block have a step of their own, so that no asset depends on it.
    """
    contracts = [*CONTRACTS.values(), *(table.contract for table in feature_views)]
    for asset in assets:
        names = {".".join(key.path) for key in asset.keys}
        blocking = [check for check in CHECKS if check.table in names and check.is_blocking]
        advisory = [check for check in CHECKS if check.table in names and not check.is_blocking]
        asset_contracts = [contract for contract in contracts if contract.table in names]
        if asset_contracts or blocking:
            yield _blocking_step(f"{asset.op.name}_checks", asset_contracts, blocking)
        if advisory:
            yield _advisory_step(f"{asset.op.name}_advisory_checks", advisory)


def _blocking_step(name: str, contracts: Sequence[Contract], others: Sequence[TableCheck]) -> dg.AssetChecksDefinition:
    specs = [(contract_spec(contract), contract) for contract in contracts]

    @dg.multi_asset_check(
        name=name, specs=[*(spec for spec, _ in specs), *(check.spec for check in others)], can_subset=True
    )
    def look(
        context: dg.AssetCheckExecutionContext, run_context: dg.ResourceParam[RunContext]
    ) -> Iterator[dg.AssetCheckResult]:
        requested_keys = context.selected_asset_check_keys
        yield from blocking_results(
            run_context,
            [contract for spec, contract in specs if spec.key in requested_keys],
            [check for check in others if check.spec.key in requested_keys],
        )

    return look


def _advisory_step(name: str, checks: Sequence[TableCheck]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(name=name, specs=[check.spec for check in checks], can_subset=True)
    def look(
        context: dg.AssetCheckExecutionContext, run_context: dg.ResourceParam[RunContext]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from (check(run_context) for check in checks if check.spec.key in context.selected_asset_check_keys)

    return look
