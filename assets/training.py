"""The training tables: queries with their split, and their graded pairs."""

from typing import Any

import dagster as dg

from assets.tables import table_asset, table_result
from assets.workspace import Workspace
from warehouse import scopes
from warehouse.contracts.registry import CONTRACTS
from warehouse.quarantine import refuse


@dg.asset(**table_asset("training.queries", deps=("staging.queries",)))
def training_queries(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Carve validation from train, keep test queries out of train."""
    lake = workspace.home.lake
    with lake.writing() as connection:
        share = {"validation_percent": lake.settings.validation_percent}
        change = scopes.refresh(connection, CONTRACTS["training.queries"], share, lake.touched)
    return table_result(context, workspace, "training.queries", change.counts)


@dg.asset(
    **table_asset(
        "training.pairs",
        deps=("training.queries", "staging.judgements", "staging.products", "features.products", "features.queries"),
    )
)
def training_pairs(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Grade the judged pairs of the queries that have a split."""
    lake = workspace.home.lake
    with lake.writing() as connection:
        change = scopes.refresh(connection, CONTRACTS["training.pairs"], touched=lake.touched)
        refused = refuse(connection, "training.pairs", lake.touched)
    return table_result(context, workspace, "training.pairs", {**change.counts, "quarantined": refused})
