"""The gate: a new model goes live only if its recall is no lower than the live one's, on validation queries."""

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import table_asset, table_result
from assets.evaluation.champion_challenger import GATE, decide_promotion
from assets.run_context import RunContext


@asset(**table_asset("evaluation.gate", deps=("vectors.products", "model.ranker", "training.pairs"), kinds={"numpy"}))
def evaluation_gate(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Compare the new model with the live one, unless the same two were compared on the same data before."""
    return table_result(context, run_context, GATE.table, decide_promotion(run_context))
