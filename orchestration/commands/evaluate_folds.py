"""The folds: the recipe of a build trained k times, each time without the queries that it is then measured on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from assets.model.two_tower import model_name, train_model
from assets.run_context import RunContext
from assets.services.offline_evaluation import BASELINES, EvaluationTarget, measure
from models.evaluation.breakdown import long_metrics
from models.evaluation.evaluate import Evaluation, compare, summarise
from models.evaluation.pooling import pool
from orchestration.instance.locks import run_lock
from orchestration.runs.derive import derive
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.history.checkpoints import point
from warehouse.operations import cv_folds as division
from warehouse.operations.scratch_home import recomputed_home


def evaluate_folds(run_context: RunContext, folds: int) -> dict[str, Any]:
    """Divide all queries in folds; measure on each a model that was trained on the others, over the full catalog.

    A fold is one run of the very assets that a build runs, from `training.queries` to the model, in a lake of its own:
    the vocabulary, the features' scales and validation come of the fold's train queries alone. All judgements of a
    held-out query count. What was measured goes to `evaluation.folds`; models and tables of the folds are forgotten.

    Returns:
        Plain values: of all folds pooled what `summarise` returns and `locale_leads` (locale to metric to interval), and
        `by_fold`, the same for each fold.

    Raises:
        WarehouseError: No build has ended in this home, or a fold has no query with a judged product.
    """
    home = run_context.home
    home.lake.require()
    measured: list[Evaluation] = []
    with run_lock(home):
        past = point(home.lake)
        with recomputed_home(home, past.snapshot) as given:
            own = division.FoldHome(given.root, given.settings, given.feature_views, given.scratch)
            derive(replace(run_context, home=own), "training_inputs")
            bar = run_context.progress("folds", total=folds)
            for fold in range(1, folds + 1):
                named = _named(run_context, f"fold {fold} of {folds}: ")
                measured.append(
                    _measure(replace(run_context, home=own, show_progress=named), fold, folds, past.snapshot)
                )
                bar(fold)
        pooled = pool(measured)
        told = {"seed": run_context.training.seed, "min_queries": run_context.release.min_queries}
        parts = [
            long_metrics(replace(one, slices=one.slices.clear()), "model", BASELINES, **told)
            .drop("slice", "part")
            .with_columns(fold=pl.lit(fold))
            for fold, one in enumerate([pooled, *measured])
        ]
        division.record(home.lake, pl.concat(parts), folds, past.snapshot)
    return {
        **_told(pooled, told),
        "snapshot": past.snapshot,
        "folds": folds,
        "by_fold": [_told(one, told) for one in measured],
    }


def _measure(run_context: RunContext, fold: int, folds: int, snapshot: int) -> Evaluation:
    """Train without one fold's queries and measure on them."""
    home = run_context.home
    division.hold_out(home.lake, fold, folds)
    derive(run_context, "fold_inputs")
    judgements = datasets.held_out_judgements(home.lake)
    if judgements.is_empty():
        raise WarehouseError(f"no query with a judged product falls into fold {fold}", "divide in fewer folds")
    model_id = model_name(run_context)
    train_model(run_context, model_id, snapshot)
    return measure(run_context, EvaluationTarget(model_id), judgements, cached=True)


def _told(evaluation: Evaluation, told: dict[str, int]) -> dict[str, Any]:
    by_locale = {
        locale: compare(replace(evaluation, rows=evaluation.rows.filter(locale=locale)), "model", "encoder", **told)
        for locale in sorted(evaluation.products)
    }
    return {**summarise(evaluation, **told), "locale_leads": by_locale}


def _named(run_context: RunContext, name: str) -> Callable[[str, int | None], Callable[[int], None]]:
    """Return what announces a task under the name of its fold."""
    return lambda task, total: run_context.show_progress(f"{name}{task}", total)
