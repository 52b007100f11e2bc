"""The evaluator: the live release measured again, on the test split or on judgements of one's own."""

from pathlib import Path
from typing import Any

import polars as pl

from assets.run_context import RunContext
from assets.services.offline_evaluation import EvaluationTarget, measure, previous_model
from models.encoder.loading import encoder_fingerprint
from models.evaluation.evaluate import summarise
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.operations.judgement_file import read_examples
from warehouse.serving.release_log import Release


def evaluate_live(run_context: RunContext, examples: Path | None = None) -> dict[str, Any]:
    """Measure the live release beside encoder, BM25 and chance, over the catalog of its own snapshot.

    Returns:
        Plain values: `rankers`, `model_minus_encoder`, `locales`, counts; with `examples` also `missing_products` (count
        and keys) and `refused_rows` (by rule).

    Raises:
        WarehouseError: There is no release, the settings name another encoder, or nothing can be measured.
    """
    home = run_context.home
    release = live_release(run_context)
    vectors, previous = (release.vector_table, release.vector_version), previous_model(run_context, release.model_id)
    target = EvaluationTarget(release.model_id, vectors, release.snapshot, previous)
    extra: dict[str, Any] = {"release": release.release, "model": release.model_id}
    if examples is None:
        judgements = datasets.task1_judgements(home.lake, release.snapshot)
    else:
        read = read_examples(examples, datasets.products(home.lake, release.snapshot)["key"])
        judgements = read.judgements
        extra["missing_products"] = {"count": len(read.missing), "products": read.missing}
        extra["refused_rows"] = read.refused
    if judgements.is_empty():
        if examples is not None:
            raise WarehouseError(
                f"no judgement in {examples} is of a product in the catalog", "judge products that are in it"
            )
        raise WarehouseError(
            "the release has no test query of task 1 (small_version 1, split test)",
            "name judgements of your own: --examples FILE; or hold out each query once: --folds 5",
        )
    extra["queries_trained_on"] = trained_on(run_context, release.snapshot, judgements)
    measured = measure(run_context, target, judgements, cached=examples is None)
    return {**summarise(measured, seed=run_context.training.seed, min_queries=run_context.release.min_queries), **extra}


def live_release(run_context: RunContext) -> Release:
    """Return the live release.

    Raises:
        WarehouseError: There is none, or the settings name another encoder.
    """
    release = run_context.home.releases.require()
    encoder = encoder_fingerprint(run_context.encoder)
    if encoder != release.encoder_fingerprint:
        raise WarehouseError(
            f"release {release.release} was made with another encoder, {release.encoder_fingerprint}; "
            f"the settings name {encoder}",
            "set the encoder back, or build a release with the new one",
        )
    return release


def trained_on(run_context: RunContext, snapshot: int, judgements: pl.DataFrame) -> int:
    """Count the judged queries that the model has seen in training: on them it looks better than it is."""
    asked = judgements.select("locale", pl.col("query").str.to_lowercase()).unique()
    return asked.join(
        datasets.trained_queries(run_context.home.lake, snapshot), on=["locale", "query"], how="semi"
    ).height
