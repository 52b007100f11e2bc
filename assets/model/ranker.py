"""The ranker: orders the candidates of a search, trained on the candidates that both legs find for train queries."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import result
from assets.keys import asset_key
from assets.ranking.ranker_training import ensure_ranker, ranker_facts, ranker_name
from assets.reporting import plots
from assets.run_context import RunContext
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel


@asset(
    key=asset_key("model.ranker"),
    deps=[
        asset_key(name)
        for name in (
            "model.two_tower",
            "vectors.products",
            "vectors.texts",
            "fitted.words",
            "features.queries",
            "training.pairs",
        )
    ],
    group_name="model",
    kinds={"lightgbm"},
    description="The way to order the candidates of both legs, and its trees, named by a hash of all that they were made from.",
)
def model_ranker(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Train the trees and choose the ordering, unless the same ranker exists already."""
    ranker_id = ranker_name(run_context)
    is_new = ensure_ranker(run_context, ranker_id, ServingModel.of(run_context, model_name(run_context)))
    facts = ranker_facts(run_context, ranker_id)
    importances = facts.pop("importances")
    metadata = {"importances": plots.importances(importances)} if is_new and any(importances.values()) else {}
    return result(
        context, run_context, "model.ranker", ranker_id, metadata, {"ranker": ranker_id, "trained": is_new, **facts}
    )
