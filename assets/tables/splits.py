"""The split of the queries into train, validation and test, before any feature is fitted."""

import dagster as dg

from assets.core.table_asset import table_asset, table_result
from assets.run_context import RunContext
from warehouse.lake.incremental import refresh


@dg.asset(**table_asset("splits.queries"))
def splits_queries(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Split validation off train, and keep test queries out of train."""
    lake, watermarks = run_context.home.lake, run_context.watermarks
    with watermarks.writing() as connection:
        change, _ = refresh(connection, "splits.queries", lake.settings, watermarks, whole=run_context.compares_whole)
    return table_result(context, run_context, "splits.queries", change.counts)
