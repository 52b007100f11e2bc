"""The checks of the live release: they warn, since the release is published already."""

import json

import dagster as dg

from assets.core.table_check import table_check
from assets.evaluation.champion_challenger import current_gate_result, gate_metadata
from assets.release.publishing import key_differences
from assets.run_context import RunContext
from warehouse.errors import WarehouseError
from warehouse.operations import consistency


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


CHECKS = (vectors_match_the_catalog, the_gate_let_the_model_through, online_matches_offline)
