"""Evaluation of the live release, on the test split or on the user's own judgements."""

from pathlib import Path
from typing import Any

import polars as pl

from assets.evaluation.known_items import measure_known_items
from assets.evaluation.offline_evaluation import EvaluationTarget, measure, previous_model
from assets.run_context import RunContext
from models.encoder.loading import encoder_fingerprint
from models.evaluation.evaluate import summarize
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.operations.judgement_file import read_examples
from warehouse.serving.release_log import Release


def evaluate_live(run_context: RunContext, examples: Path | None = None) -> dict[str, Any]:
    """Measure the live release, its encoder, BM25 and random order over the catalog of the release's snapshot.

    Returns:
        Plain values: `rankers`, their leads such as `model_minus_encoder`, `locales`, counts; with `examples` also
        `missing_products` (count and keys) and `refused_rows` (by rule). Where no test query is judged, `known_items`: rows of
        evaluation.known_items.

    Raises:
        WarehouseError: There is no release, the settings name another encoder, or nothing can be measured.
    """
    home = run_context.home
    release = live_release(run_context)
    vectors, previous = (release.vector_table, release.vector_version), previous_model(run_context, release.model_id)
    target = EvaluationTarget(
        release.model_id, vectors, release.snapshot, previous, release.ranker_id, release.text_version
    )
    extra: dict[str, Any] = {"release": release.release, "model": release.model_id}
    if examples is None:
        judgements = datasets.task1_judgements(home.lake, release.snapshot)
    else:
        example_set = read_examples(examples, datasets.products(home.lake, release.snapshot)["key"])
        judgements = example_set.judgements
        extra["missing_products"] = {"count": len(example_set.missing), "products": example_set.missing}
        extra["refused_rows"] = example_set.refused
    if judgements.is_empty():
        if examples is not None:
            raise WarehouseError(
                f"no judgement in {examples} is of a product in the catalog",
                "give judgements of products in the catalog",
            )
        run_context.progress("measuring")
        return extra | {"known_items": measure_known_items(run_context, target).to_dicts()}
    extra["queries_trained_on"] = trained_on(run_context, release.snapshot, judgements)
    run_context.progress("measuring")
    evaluation = measure(run_context, target, judgements, cached=examples is None)
    return {
        **summarize(evaluation, seed=run_context.training.seed, min_queries=run_context.release.min_queries),
        **extra,
    }


def live_release(run_context: RunContext) -> Release:
    """Return the live release.

    Raises:
        WarehouseError: There is no release, or the settings name another encoder.
    """
    release = run_context.home.releases.require()
    encoder = encoder_fingerprint(run_context.encoder)
    if encoder != release.encoder_fingerprint:
        raise WarehouseError(
            f"release {release.release} was made with another encoder, {release.encoder_fingerprint}; "
            f"the settings name {encoder}",
            "set encoder.model to the encoder of the release, or build a release with the new encoder",
        )
    return release


def trained_on(run_context: RunContext, snapshot: int, judgements: pl.DataFrame) -> int:
    """Count the judged queries that are in the training data: on them the model looks better than it is."""
    queries = judgements.select("locale", pl.col("query").str.to_lowercase()).unique()
    return queries.join(
        datasets.trained_queries(run_context.home.lake, snapshot), on=["locale", "query"], how="semi"
    ).height
