"""The staging tables: cleaned by Polars, row by row, only where the raw row is new or changed."""

from dataclasses import asdict

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.run_context import RunContext
from assets.services.table_refresh import refresh_table
from warehouse.lake.loss_guard import require_judgements
from warehouse.search import search_rules
from warehouse.transform.staging import refresh_products, refresh_queries


@asset(**table_asset("staging.products"))
def staging_products(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Clean the products whose raw row is new or changed."""
    change = refresh_products(
        run_context.home.lake,
        run_context.watermarks,
        whole=run_context.compares_whole,
        allow_loss=run_context.allow_loss,
    )
    return table_result(context, run_context, "staging.products", asdict(change))


@asset(**table_asset("staging.queries"))
def staging_queries(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Clean the queries of judged products whose raw rows are new or changed."""
    change = refresh_queries(run_context.home.lake, run_context.watermarks, whole=run_context.compares_whole)
    return table_result(context, run_context, "staging.queries", asdict(change))


@asset(**table_asset("staging.judgements", kinds={"duckdb"}))
def staging_judgements(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Join judgements to their products; move those without a product to quarantine."""
    with run_context.watermarks.writing() as connection:
        change, refused_rows = refresh_table(run_context, connection, "staging.judgements")
        if run_context.pinned_model is None:
            require_judgements(connection)
    return table_result(context, run_context, "staging.judgements", {**change.counts, "quarantined": refused_rows})


@asset(**table_asset("staging.search_rules"))
def staging_search_rules(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Clean the shop's search rules and check them; move the lines that fail a check to quarantine."""
    change, refused_lines = search_rules.refresh(
        run_context.home.lake, run_context.watermarks, whole=run_context.compares_whole
    )
    return table_result(context, run_context, "staging.search_rules", {**change.counts, "quarantined": refused_lines})
