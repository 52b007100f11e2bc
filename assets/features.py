"""The feature tables: one SQL file each, redone and compared."""

from typing import Any

import dagster as dg

from assets import plots
from assets.pictures import drawn
from assets.tables import table_asset, table_result
from assets.workspace import Workspace
from warehouse import monitoring, scopes
from warehouse.contracts.registry import CONTRACTS
from warehouse.query_features import check_tower_inputs


def feature_asset(table: str, deps: tuple[str, ...]) -> dg.AssetsDefinition:
    """Return the asset that refreshes a feature table from its SQL file."""

    def features(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[Any]:
        lake, shown = workspace.home.lake, {}
        if lake.touched is None:  # else the last run ended by this very code
            check_tower_inputs()
        with lake.writing() as connection:
            change = scopes.refresh(connection, CONTRACTS[table], touched=lake.touched)
            # To count a table's values costs its size: what an apply changes of them waits for the next build.
            if lake.touched is None or not workspace.held_model:
                stats = monitoring.record(connection, CONTRACTS[table], workspace.monitoring, lake.touched)
                if stats.height and not workspace.held_model:
                    shown = drawn(context, table, ["distributions"], [stats], lambda: [plots.distributions(stats)])
        return table_result(context, workspace, table, change.counts, shown)

    definition: dg.AssetsDefinition = dg.asset(**table_asset(table, deps=deps))(features)
    return definition


feature_products = feature_asset("features.products", ("staging.products",))
feature_queries = feature_asset("features.queries", ("staging.queries", "fitted.vocabulary"))
feature_pairs = feature_asset("features.pairs", ("staging.judgements", "staging.queries", "staging.products"))
