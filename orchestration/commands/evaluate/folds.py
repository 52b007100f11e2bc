"""Cross-validation: runs a build's training procedure k times, each time without the queries of its evaluation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from assets.evaluation.offline_evaluation import LEADS, EvaluationTarget, measure
from assets.ranking.ranker_training import ensure_ranker, ranker_name
from assets.run_context import RunContext
from assets.services.model_training import model_name, train_model
from assets.services.serving_model import ServingModel
from assets.services.text_refresh import refresh_texts
from models.evaluation.breakdown import long_metrics
from models.evaluation.evaluate import Evaluation, compare, summarize
from models.evaluation.pooling import pool
from orchestration.instance.locks import run_lock
from orchestration.runs.derive import derive
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.history.checkpoints import find_checkpoint
from warehouse.operations import cv_folds as division
from warehouse.operations.scratch_home import recomputed_home


def evaluate_folds(run_context: RunContext, folds: int) -> dict[str, Any]:
    """Divide all queries into folds; measure on each fold a model trained on the others, over the full catalog.

    Each fold runs the same assets as a build, from `splits.queries` to the model, in a scratch lake: the vocabulary, the
    features' scales and the validation split come from the fold's train queries alone. All judgements of a held-out query
    count. The metrics go to `evaluation.folds`; models and tables of the folds are discarded.

    Returns:
        Plain values: the result of `summarize` and `locale_leads` (lead to locale to metric to interval) for all folds pooled,
        and `by_fold`, the same for each fold.

    Raises:
        WarehouseError: No build has ended in this home, or a fold has no query with a judged product.
    """
    home = run_context.home
    home.lake.require()
    evaluations: list[Evaluation] = []
    with run_lock(home):
        if not any(datasets.judged_queries(home.lake).values()):
            raise WarehouseError(
                "there is nothing to divide into folds: no query has an Exact product",
                "ingest judgements, then run again",
            )
        checkpoint = find_checkpoint(home.lake)
        with recomputed_home(home, checkpoint.snapshot) as recomputed:
            fold_home = division.FoldHome(
                recomputed.root, recomputed.settings, recomputed.feature_views, scratch=recomputed.scratch
            )
            derive(replace(run_context, home=fold_home), "training_inputs")
            bar = run_context.progress("folds", total=folds)
            for fold in range(1, folds + 1):
                show_progress = _prefix_progress(run_context, f"fold {fold} of {folds}: ")
                fold_context = replace(run_context, home=fold_home, show_progress=show_progress)
                evaluations.append(_measure(fold_context, fold, folds, checkpoint.snapshot))
                bar(fold)
        pooled = pool(evaluations)
        options = {"seed": run_context.training.seed, "min_queries": run_context.release.min_queries}
        parts = [
            long_metrics(replace(each, slices=each.slices.clear()), LEADS, **options)
            .drop("slice", "part")
            .with_columns(fold=pl.lit(fold))
            for fold, each in enumerate([pooled, *evaluations])
        ]
        division.record(home.lake, pl.concat(parts), folds, checkpoint.snapshot)
    return {
        **_summary(pooled, options),
        "snapshot": checkpoint.snapshot,
        "folds": folds,
        "by_fold": [_summary(each, options) for each in evaluations],
    }


def _measure(run_context: RunContext, fold: int, folds: int, snapshot: int) -> Evaluation:
    """Train without one fold's queries and measure on them."""
    home = run_context.home
    division.hold_out(home.lake, fold, folds)
    derive(run_context, "fold_inputs")
    judgements = datasets.held_out_judgements(home.lake)
    if judgements.is_empty():
        raise WarehouseError(f"no query with a judged product falls into fold {fold}", "use fewer folds")
    model_id = model_name(run_context)
    train_model(run_context, model_id, snapshot)
    refresh_texts(run_context)
    model, ranker_id = ServingModel(run_context, model_id), ranker_name(run_context)
    products = datasets.products(home.lake).sort("locale", "product_id")
    ensure_ranker(run_context, ranker_id, model, model.product_vectors(products))
    run_context.progress("measuring")
    return measure(run_context, EvaluationTarget(model_id, ranker=ranker_id), judgements, cached=True)


def _summary(evaluation: Evaluation, options: dict[str, int]) -> dict[str, Any]:
    by_locale = {
        f"{first}_minus_{second}": {
            locale: compare(replace(evaluation, rows=evaluation.rows.filter(locale=locale)), first, second, **options)
            for locale in sorted(evaluation.products)
        }
        for first, second in (("ranked", "model"), ("ranked", "text"), ("model", "encoder"))
    }
    return {**summarize(evaluation, **options), "locale_leads": by_locale}


def _prefix_progress(run_context: RunContext, prefix: str) -> Callable[[str, int | None], Callable[[int], None]]:
    """Return the context's progress function with a prefix before each task's name."""
    return lambda task, total: run_context.show_progress(f"{prefix}{task}", total)
