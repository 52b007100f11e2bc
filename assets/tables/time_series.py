"""The time-series features: a table for each declared file, and the values that each judged pair sees."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.core.table_check import table_check
from assets.reporting import plots
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from assets.services import event_dates
from warehouse.contracts.time_series import FeatureView
from warehouse.declaration.attributes import AttributeView
from warehouse.features import feature_statistics, feature_views, training_lookup
from warehouse.ingest.feature_view_files import FeatureViewIngested, ingest_file
from warehouse.lake import tables


def feature_view_assets(declared: Sequence[FeatureView]) -> list[dg.AssetsDefinition]:
    """Return the assets of all declared tables, of their registry and of training.point_in_time."""
    files = [_file_asset(table) for table in declared]
    return [*files, _registry_asset(tuple(table.table for table in declared)), training_point_in_time]


def _file_asset(table: FeatureView) -> dg.AssetsDefinition:
    is_of_sources = isinstance(table, AttributeView)

    def time_series_table(
        context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
    ) -> dg.MaterializeResult:
        lake, ingested = run_context.home.lake, FeatureViewIngested(unchanged_file=True)
        folder = run_context.home.view_folder(table)
        if not is_of_sources or (folder / table.file).is_file():
            # The current time only serves to refuse rows; no table stores it.
            ingested = ingest_file(lake, folder, table, datetime.now(UTC))
        with lake.writing() as connection:
            tables.ensure(connection, table.contract)
            stats = feature_statistics.record(connection, table.contract, run_context.monitoring)
        pictures = {}
        if stats.height and not run_context.pinned_model:
            pictures = {"distributions": drawn(run_context.home, table.contract.table, plots.distributions, stats)}
        return table_result(context, run_context, table.contract, asdict(ingested), pictures)

    deps = ("raw.products",) if is_of_sources else ()
    definition: dg.AssetsDefinition = asset(**table_asset(table.contract, deps=deps, kinds={"parquet", "duckdb"}))(
        time_series_table
    )
    return definition


def _registry_asset(names: tuple[str, ...]) -> dg.AssetsDefinition:
    def registry_feature_views(
        context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
    ) -> dg.MaterializeResult:
        home = run_context.home
        with home.lake.writing() as connection:
            change = feature_views.register(connection, home.feature_views, home.settings)
        return table_result(context, run_context, "registry.feature_views", change.counts)

    deps = ("staging.judgements", *names)
    definition: dg.AssetsDefinition = asset(**table_asset("registry.feature_views", deps=deps))(registry_feature_views)
    return definition


@table_check(
    "training.point_in_time",
    "No pair sees an event from after its judgement or one older than the table's maximum age.",
    is_blocking=True,
    beside=("registry.feature_views",),
)
def pairs_see_no_future(run_context: RunContext) -> dg.AssetCheckResult:
    """Assert that no value from the future leaks into training."""
    with run_context.home.lake.reading() as connection:
        broken = training_lookup.broken_pairs(connection)
    return dg.AssetCheckResult(passed=broken == 0, metadata={"broken_pairs": broken})


@asset(**table_asset("training.point_in_time", checks=[pairs_see_no_future]))
def training_point_in_time(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Find the event that each judged pair sees: the newest at its time, if it is not too old."""
    lake, watermarks = run_context.home.lake, run_context.watermarks
    with watermarks.writing() as connection:
        change = training_lookup.refresh_training(
            connection, lake.settings, watermarks, whole=run_context.compares_whole
        )
        coverages = training_lookup.seen_events(connection)
    facts: dict[str, Any] = dict(change.counts)
    if coverages:
        facts["pair_coverage"] = {name: round(each.share, 4) for name, each in coverages.items()}
    if text := event_dates.warning(coverages):
        facts["warning"] = text
    return table_result(context, run_context, "training.point_in_time", facts, checks=[pairs_see_no_future])
