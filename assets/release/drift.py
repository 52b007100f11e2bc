"""The monitoring tables: what the features were, and how far they moved from the version before and from training."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets.core.table_asset import table_asset, table_result
from assets.model.two_tower import model_name
from assets.reporting import plots
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from warehouse.features import drift as monitoring

TABLES = ("monitoring.versions", "monitoring.feature_stats", "monitoring.drift")


@dg.multi_asset(
    name="monitoring",
    specs=[
        dg.AssetSpec(**table_asset(table, deps=(*monitoring.WATCHED, "model.two_tower"), kinds={"duckdb"}))
        for table in TABLES
    ],
)
def monitoring_tables(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Measure drift where it was not yet. Versions and statistics came here in the transactions of the feature tables."""
    lake, models = run_context.home.lake, watched_models(run_context)
    compared = monitoring.measure_drift(lake, {model: trained_on(run_context, model) for model in models})
    drift = monitoring.drift(lake, models)
    notable = monitoring.drifted(drift, run_context.monitoring, run_context.monitoring.drift_notable)
    shown: dict[str, Any] = {"moved": drift_table(notable)}
    if drift.height:
        bounds = run_context.monitoring.drift_notable, run_context.monitoring.drift_warning
        shown |= drawn(
            context,
            "monitoring.drift",
            ["psi", "distributions"],
            [drift, bounds],
            lambda: [plots.psi_bars(drift, *bounds), plots.moved_distributions(drift)],
        )
    for table in TABLES:
        is_drift = table == "monitoring.drift"
        facts = {"comparisons": compared} if is_drift else {}
        yield table_result(context, run_context, table, facts, shown if is_drift else {})


def watched_models(run_context: RunContext) -> list[str]:
    """Return the models whose training the features are held against: the live one, and the one that may follow it.

    Both, so that a release changes nothing that monitoring has to write.
    """
    live = run_context.home.releases.live()
    return sorted({model_name(run_context)} | ({live.model_id} if live else set()))


def trained_on(run_context: RunContext, model_id: str) -> dict[str, str]:
    """Return the versions of the feature tables that a model was trained on, as far as its checkpoint says."""
    directory = run_context.home.models / model_id
    if not (directory / MANIFEST_FILE).exists():
        return {}
    return dict(read_manifest(directory)["metadata"].get("features", {}))


def drift_table(drift: pl.DataFrame) -> dg.TableMetadataValue:
    """Return the rows of a drift frame as a table for Dagster's pages."""
    shown = drift.select("table_name", "column_name", "locale", "reference", "rows", "reference_rows", "psi")
    return dg.MetadataValue.table(
        records=[dg.TableRecord(row) for row in shown.iter_rows(named=True)],
        schema=dg.TableSchema([dg.TableColumn(name) for name in shown.columns]),
    )
