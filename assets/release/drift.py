"""The monitoring tables: feature statistics, and their drift from the previous version and from training."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets.core.steps import multi_asset
from assets.core.table_asset import table_assets, table_result
from assets.core.table_check import table_check
from assets.reporting import plots
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from assets.services.model_training import model_name
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from warehouse.features import drift as monitoring

TABLES = ("monitoring.versions", "monitoring.feature_stats", "monitoring.drift")


@table_check(
    "monitoring.drift", "No feature drifted far from the previous version or from the model's training data (PSI)."
)
def features_are_steady(run_context: RunContext) -> dg.AssetCheckResult:
    """Warn of features whose PSI reaches the setting drift_warning, over all locales or in one."""
    settings = run_context.monitoring
    drift = monitoring.drift(run_context.home.lake, watched_models(run_context))
    drifted_rows = monitoring.drifted(drift, settings, settings.drift_warning)
    names = sorted(
        {f"{table}.{column}" for table, column in drifted_rows.select("table_name", "column_name").iter_rows()}
    )
    return dg.AssetCheckResult(
        passed=drifted_rows.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"drifted_columns": names, "drift": drift_table(drifted_rows), "threshold": settings.drift_warning},
    )


@multi_asset(
    name="monitoring",
    **table_assets(
        TABLES, deps=(*monitoring.WATCHED, "model.two_tower"), kinds={"duckdb"}, checks=[features_are_steady]
    ),
)
def monitoring_tables(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult]:
    """Measure missing drift. The transactions of the feature tables already wrote versions and statistics."""
    lake, models = run_context.home.lake, watched_models(run_context)
    comparisons = monitoring.measure_drift(lake, {model: training_versions(run_context, model) for model in models})
    drift = monitoring.drift(lake, models)
    notable = monitoring.drifted(drift, run_context.monitoring, run_context.monitoring.drift_notable)
    metadata: dict[str, Any] = {"moved": drift_table(notable)}
    if drift.height:
        bounds = run_context.monitoring.drift_notable, run_context.monitoring.drift_warning
        metadata |= {
            "psi": drawn(run_context.home, "drift", plots.psi_bars, drift, *bounds),
            "distributions": drawn(run_context.home, "moved distributions", plots.moved_distributions, drift),
        }
    for table in TABLES:
        is_drift = table == "monitoring.drift"
        facts = {"comparisons": comparisons} if is_drift else {}
        checks = [features_are_steady] if is_drift else []
        yield table_result(context, run_context, table, facts, metadata if is_drift else {}, checks)


def watched_models(run_context: RunContext) -> list[str]:
    """Return the models whose training data the features are compared with: the live one and its possible successor.

    Both are compared, so that a release leaves the monitoring tables unchanged.
    """
    live = run_context.home.releases.live()
    return sorted({model_name(run_context)} | ({live.model_id} if live else set()))


def training_versions(run_context: RunContext, model_id: str) -> dict[str, str]:
    """Return the versions of the feature tables that a model was trained on, if its checkpoint names them."""
    directory = run_context.home.models / model_id
    if not (directory / MANIFEST_FILE).exists():
        return {}
    return dict(read_manifest(directory)["metadata"].get("features", {}))


def drift_table(drift: pl.DataFrame) -> dg.TableMetadataValue:
    """Return the rows of a drift frame as a table for Dagster's UI."""
    preview = drift.select("table_name", "column_name", "locale", "reference", "rows", "reference_rows", "psi")
    return dg.MetadataValue.table(
        records=[dg.TableRecord(row) for row in preview.iter_rows(named=True)],
        schema=dg.TableSchema([dg.TableColumn(name) for name in preview.columns]),
    )
