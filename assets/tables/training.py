"""The training pairs: the graded judgements of the queries that have a split."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.core.table_check import table_check
from assets.run_context import RunContext
from assets.services.table_refresh import refresh_table
from warehouse.operations import consistency


@table_check(
    "training.pairs", "No train or validation query string stands in test of the same locale.", is_blocking=True
)
def train_is_apart_from_test(run_context: RunContext) -> dg.AssetCheckResult:
    """Assert that the model is never trained on a query of the test split."""
    with run_context.home.lake.reading() as connection:
        leaked = consistency.leaked_queries(connection)
    return dg.AssetCheckResult(passed=leaked == 0, metadata={"leaked_queries": leaked})


@asset(**table_asset("training.pairs", checks=[train_is_apart_from_test]))
def training_pairs(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Grade the judged pairs of the queries that have a split."""
    with run_context.watermarks.writing() as connection:
        change, refused_rows = refresh_table(run_context, connection, "training.pairs")
    facts = {**change.counts, "quarantined": refused_rows}
    return table_result(context, run_context, "training.pairs", facts, checks=[train_is_apart_from_test])
