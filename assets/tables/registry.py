"""The registry: the contracts of the lake's tables and the lineage of their columns, as tables for SQL."""

from collections.abc import Iterator

import dagster as dg

from assets.core.column_lineage import product_vector_steps
from assets.core.steps import asset, multi_asset
from assets.core.table_asset import table_asset, table_assets, table_result
from assets.run_context import RunContext
from warehouse.catalog import column_lineage, data_dictionary
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lake import tables


@multi_asset(name="registry", **table_assets(("registry.tables", "registry.features")))
def registry(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult]:
    """Write the names, types and meanings of all tables and columns, as declared in the contracts."""
    with run_context.home.lake.writing() as connection:
        changes = data_dictionary.refresh(connection, run_context.home.contracts)
    for table, change in changes.items():
        yield table_result(context, run_context, table, change.counts)


@asset(**table_asset("registry.lineage"))
def registry_lineage(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Write the lineage of every column; skip a table whose SQL cannot be parsed, with a warning."""
    feature_views = run_context.home.feature_views
    steps = product_vector_steps(feature_views) + column_lineage.time_series_steps(feature_views)
    steps += column_lineage.declared_steps(run_context.home.sources)
    for table in CONTRACTS:
        try:
            steps += column_lineage.steps(table)
        except WarehouseError as error:
            context.log.warning(f"{table}: {error}")
    with run_context.home.lake.writing() as connection:
        change = tables.refresh_from(connection, CONTRACTS["registry.lineage"], column_lineage.frame(steps))
    return table_result(context, run_context, "registry.lineage", change.counts)
