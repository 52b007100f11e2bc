"""The fitted tables: the vocabulary of the train split, and the words of the catalog, before any feature is computed."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.run_context import RunContext
from assets.tables.features import feature_asset
from warehouse.features import word_counts

fitted_vocabulary = feature_asset("fitted.vocabulary")


@asset(**table_asset("fitted.words", deps=("staging.products",)))
def fitted_words(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Count the words of the catalog, except in a run that keeps the live model: its ranker keeps its own counts."""
    change = word_counts.refresh(run_context.home.lake, keep=run_context.pinned_model is not None)
    return table_result(context, run_context, "fitted.words", change)
