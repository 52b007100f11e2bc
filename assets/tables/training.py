"""The training tables: queries with their split, and their graded pairs."""

from typing import Any

import dagster as dg

from assets.core.table_asset import table_asset, table_result
from assets.core.table_check import table_check
from assets.run_context import RunContext
from warehouse.lake.incremental import refresh
from warehouse.operations import consistency


@dg.asset(**table_asset("training.queries"))
def training_queries(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult[Any]:
    """Split validation off train, and keep test queries out of train."""
    lake, watermarks = run_context.home.lake, run_context.watermarks
    with watermarks.writing() as connection:
        change, _ = refresh(connection, "training.queries", lake.settings, watermarks, whole=run_context.compares_whole)
    return table_result(context, run_context, "training.queries", change.counts)


@dg.asset(**table_asset("training.pairs"))
def training_pairs(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult[Any]:
    """Grade the judged pairs of the queries that have a split."""
    lake, watermarks = run_context.home.lake, run_context.watermarks
    with watermarks.writing() as connection:
        change, refused_rows = refresh(
            connection, "training.pairs", lake.settings, watermarks, whole=run_context.compares_whole
        )
    return table_result(context, run_context, "training.pairs", {**change.counts, "quarantined": refused_rows})


@table_check(
    "training.pairs", "No train or validation query string stands in test of the same locale.", is_blocking=True
)
def train_is_apart_from_test(run_context: RunContext) -> dg.AssetCheckResult:
    """Assert that the model is never trained on a query of the test split."""
    with run_context.home.lake.reading() as connection:
        leaked = consistency.leaked_queries(connection)
    return dg.AssetCheckResult(passed=leaked == 0, metadata={"leaked_queries": leaked})
