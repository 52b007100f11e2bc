"""The split of the queries into train, validation and test, before any feature is fitted."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.run_context import RunContext
from assets.services.table_refresh import refresh_table


@asset(**table_asset("splits.queries"))
def splits_queries(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Split validation off train, and keep test queries out of train."""
    with run_context.watermarks.writing() as connection:
        change, _ = refresh_table(run_context, connection, "splits.queries")
    return table_result(context, run_context, "splits.queries", change.counts)
