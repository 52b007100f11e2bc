"""The quarantine asset: the rows that other tables refused, and the reasons."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.run_context import RunContext
from warehouse.lake import quarantine


@asset(
    **table_asset(
        "quarantine.rows",
        deps=(
            "raw.products",
            "raw.judgements",
            "raw.sources",
            "raw.search_rules",
            "staging.products",
            "staging.queries",
            "staging.judgements",
            "staging.search_rules",
            "training.pairs",
        ),
    )
)
def quarantine_rows(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Report the quarantine. The tables that refused the rows already wrote them in their own transactions."""
    with run_context.home.lake.reading() as connection:
        counts = quarantine.counts(connection)
    by_rule = {f"{table}: {rule}": rows for table, rule, rows, _ in counts.iter_rows()}
    return table_result(context, run_context, "quarantine.rows", by_rule)
