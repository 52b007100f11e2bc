"""Transfer evaluation: measures the live model on another catalog, whose products and queries it never saw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from assets.evaluation.offline_evaluation import EvaluationTarget, measure
from assets.run_context import RunContext
from assets.services.text_refresh import refresh_texts
from models.evaluation.evaluate import summarize
from orchestration.commands.evaluate.live import live_release, trained_on
from orchestration.instance.locks import run_lock
from orchestration.runs.derive import derive
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import check_folder
from warehouse.lake import tables
from warehouse.operations.scratch_home import scratch_home


def evaluate_transfer(run_context: RunContext, raw: Path) -> dict[str, Any]:
    """Measure the live model on the test split of an ESCI folder, over that folder's own catalog.

    The assets of a build clean and transform the folder in a scratch lake. Nothing is learned from it: the vocabulary and
    every fitted value are the model's own. Time-series features are missing there. Texts are encoded into the home's
    embedding cache.

    Returns:
        The same values as `evaluate_live`.

    Raises:
        WarehouseError: There is no release, its encoder is another, the folder is incomplete or has no test query of task 1.
    """
    home = run_context.home
    release = live_release(run_context)
    check_folder(raw)
    with run_lock(home), scratch_home(home, home.feature_views) as other:
        ingest(other.lake, raw)
        with other.lake.writing() as connection:
            for table in home.feature_views:  # an empty table for each
                tables.ensure(connection, table.contract)
        transfer_context = replace(run_context, home=other)
        derive(transfer_context, "training_inputs")
        judgements = datasets.task1_judgements(other.lake)
        if judgements.is_empty():
            raise WarehouseError(
                f"no test query of task 1 in {raw}", "give a folder with small_version 1 and split test"
            )
        refresh_texts(transfer_context)
        target = EvaluationTarget(release.model_id, ranker=release.ranker_id)
        run_context.progress("measuring")
        evaluation = measure(transfer_context, target, judgements, cached=True)
    return {
        **summarize(evaluation, seed=run_context.training.seed, min_queries=run_context.release.min_queries),
        "release": release.release,
        "model": release.model_id,
        "queries_trained_on": trained_on(run_context, release.snapshot, judgements),
    }
