"""The evaluation of the challenger, random, BM25, its encoder and the previous model on the test split of task 1."""

from collections.abc import Iterator

import dagster as dg

from assets.core.steps import multi_asset
from assets.core.table_asset import table_assets, table_result
from assets.evaluation.champion_challenger import current_gate_result, winner
from assets.evaluation.evaluation_tables import TABLES, refresh_evaluation
from assets.ranking.ranker_training import ranker_name
from assets.reporting.evaluation_report import report
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from assets.services.model_training import model_name
from warehouse.features import datasets


@multi_asset(
    name="evaluation",
    **table_assets(TABLES, deps=("vectors.products", "model.ranker", "training.pairs", "evaluation.gate")),
)
def evaluation(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult]:
    """Measure the models' stored vectors on the test queries, unless the same vectors were measured before.

    The models are the new one, and also the live one if the gate keeps it live. Of one model with two rankers, that of the
    release is measured.
    """
    challenger = model_name(run_context)
    pairs = (challenger, ranker_name(run_context)), winner(run_context, current_gate_result(run_context))
    for model_id, ranker_id in dict(pairs).items():
        refresh_evaluation(run_context, model_id, ranker_id)
    metrics = datasets.metrics(run_context.home.lake, challenger)
    if metrics.is_empty():
        context.log.warning("no judgement is in the test split: only searches for known products were measured")
    pictures = {}
    if metrics.height:
        queries = datasets.compared_queries(run_context.home.lake, challenger)
        pictures = {"report": drawn(run_context.home, "evaluation", report, metrics, queries)}
    for table in TABLES:
        yield table_result(context, run_context, table, {}, pictures if table == "evaluation.metrics" else {})
