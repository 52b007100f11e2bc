"""The feature tables: one SQL file each, recomputed and compared."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.reporting import plots
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from assets.services.table_refresh import refresh_table
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import feature_statistics
from warehouse.features.pair_features import check_search_inputs
from warehouse.features.query_features import check_tower_inputs


def feature_asset(table: str) -> dg.AssetsDefinition:
    """Return the asset that refreshes a feature table from its SQL file."""

    def features(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
        pictures, stats = {}, None
        run_context.cached("inputs at search", _check_inputs)
        with run_context.watermarks.writing() as connection:
            change, _ = refresh_table(run_context, connection, table)
            # Statistics read the whole table: `stockroom apply` leaves them to the next build.
            if not run_context.pinned_model:
                stats = feature_statistics.record(connection, CONTRACTS[table], run_context.monitoring)
        if stats is not None and stats.height:
            pictures = {"distributions": drawn(run_context.home, table, plots.distributions, stats)}
        return table_result(context, run_context, table, change.counts, pictures)

    definition: dg.AssetsDefinition = asset(**table_asset(table))(features)
    return definition


def _check_inputs() -> None:
    """Refuse SQL that no search could compute.

    Raises:
        WarehouseError: A file reads what is unknown at search time.
    """
    check_tower_inputs()
    check_search_inputs()


feature_products = feature_asset("features.products")
feature_queries = feature_asset("features.queries")
feature_pairs = feature_asset("features.pairs")
