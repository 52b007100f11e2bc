"""Relevance of a model and its ranker on judged queries, next to encoder, BM25, random order and the previous model."""

from dataclasses import dataclass, replace

import polars as pl

from assets.evaluation.query_segments import slices_of
from assets.ranking.candidate_search import with_query_keys
from assets.ranking.ranked_search import ranked, search_as, text_leg
from assets.run_context import RunContext
from assets.services.live_model import unservable_reason
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import product_texts, query_texts
from assets.services.vector_refresh import stored_vectors
from models.encoder.loading import encoder_fingerprint
from models.evaluation.evaluate import Evaluation, evaluate
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import Bm25Ranker, DenseRanker, RandomRanker, Ranker
from models.ranking.ranker_files import StoredRanker
from warehouse.features import datasets
from warehouse.transform.text_cleaning import words_of

RANKED = "ranked"
"""The ranker that orders both legs' candidates: what a search shows."""

LEADS = {
    "model": ("encoder", "bm25", "previous"),
    RANKED: ("model", "text", "bm25", "encoder"),
}
"""The rankers whose lead is measured, and those that each is compared with, where they were measured."""


@dataclass(frozen=True)
class EvaluationTarget:
    """Name the model to measure, its vectors, and the snapshot that they were made from (None: newest).

    `vectors` are a table and its version; without them the products are embedded again. `previous` is the model to compare
    with. `ranker` is the ranker's id, empty if a search orders by the vectors alone, and `text_version` the version of the text
    index (None: newest).
    """

    model_id: str
    vectors: tuple[str, int] | None = None
    snapshot: int | None = None
    previous: str | None = None
    ranker: str = ""
    text_version: int | None = None


def previous_model(run_context: RunContext, model_id: str) -> str | None:
    """Return the model of the newest release with a different model.

    Return None if there is no such release, its model uses another encoder, or its model cannot be used on the current catalog.
    """
    others = [release for release in run_context.home.releases.all() if release.model_id != model_id]
    if not others or others[-1].encoder_fingerprint != encoder_fingerprint(run_context.encoder):
        return None
    previous = others[-1].model_id
    return None if unservable_reason(run_context, previous) else previous


def measure(run_context: RunContext, target: EvaluationTarget, judgements: pl.DataFrame, *, cached: bool) -> Evaluation:
    """Score the target and its baselines on judged pairs of products in its catalog.

    Args:
        run_context: The run, whose home holds the vectors.
        target: The model to measure.
        judgements: Columns locale, query_id, query (cleaned), product_id and label.
        cached: Whether the embedding cache holds the query texts; otherwise they are encoded and not cached.
    """
    products = datasets.products(run_context.home.lake, target.snapshot).sort("locale", "product_id")
    catalog = Catalog(products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(judgements, catalog)
    model, queries, texts = ServingModel(run_context, target.model_id), with_query_keys(judged), product_texts(products)
    query_base = (model.text_vectors if cached else model.texts.encoded)(query_texts(queries))
    if target.vectors is None:
        product_vectors = model.product_vectors(products)
    else:
        product_vectors = stored_vectors(run_context, *target.vectors, products)
    query_vectors = model.query_vectors(queries, query_base, target.snapshot)
    words = [each.split() for each in products.select(title=words_of("title", "brand", "color"))["title"]]
    query_words = [each.split() for each in queries.select(words=words_of("query"))["words"]]
    dense = DenseRanker(query_vectors, product_vectors)
    rankers: dict[str, Ranker] = {
        "model": dense,
        "encoder": DenseRanker(query_base, model.text_vectors(texts)),
        "bm25": Bm25Ranker.build(words, query_words, catalog, run_context.bm25),
        "random": RandomRanker(run_context.training.seed),
    }
    if target.ranker:
        ranker = StoredRanker.load(run_context.home.rankers / target.ranker)
        version = run_context.home.texts.version() if target.text_version is None else target.text_version
        retrieved = search_as(run_context, ranker, model, catalog, judged, dense, version, target.snapshot)
        rankers |= {RANKED: ranked(retrieved, ranker.ordering, dense), "text": text_leg(retrieved)}
    if target.previous is not None:
        previous = ServingModel(run_context, target.previous)
        previous_vectors = previous.query_vectors(queries, query_base, target.snapshot)
        rankers["previous"] = DenseRanker(previous_vectors, previous.product_vectors(products))
    slices = slices_of(model.query_features(queries, target.snapshot), judgements, products, model.vocabulary)
    return replace(evaluate(judged, catalog, rankers), slices=slices)
