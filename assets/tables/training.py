"""The training tables: queries with their split, and their graded pairs."""

from typing import Any

import dagster as dg

from assets.core.table_asset import table_asset, table_result
from assets.core.table_check import table_check
from assets.run_context import Workspace
from warehouse.lake.incremental import refresh
from warehouse.operations import consistency


@dg.asset(**table_asset("training.queries"))
def training_queries(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Carve validation from train, keep test queries out of train."""
    lake, marks = workspace.home.lake, workspace.marks
    with marks.writing() as connection:
        change, _ = refresh(connection, "training.queries", lake.settings, marks, whole=workspace.compares_whole)
    return table_result(context, workspace, "training.queries", change.counts)


@dg.asset(**table_asset("training.pairs"))
def training_pairs(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Grade the judged pairs of the queries that have a split."""
    lake, marks = workspace.home.lake, workspace.marks
    with marks.writing() as connection:
        change, refused = refresh(connection, "training.pairs", lake.settings, marks, whole=workspace.compares_whole)
    return table_result(context, workspace, "training.pairs", {**change.counts, "quarantined": refused})


@table_check(
    "training.pairs", "No train or validation query string stands in test of the same locale.", is_blocking=True
)
def train_is_apart_from_test(workspace: Workspace) -> dg.AssetCheckResult:
    """Assert that the model never sees a query that it is measured on."""
    with workspace.home.lake.reading() as connection:
        leaked = consistency.leaked_queries(connection)
    return dg.AssetCheckResult(passed=leaked == 0, metadata={"leaked_queries": leaked})
