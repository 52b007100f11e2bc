"""Known items: how often the most telling words of a product's own title find the product; measured without judgements."""

from typing import Any

import numpy as np
import polars as pl

from assets.evaluation.offline_evaluation import RANKED, EvaluationTarget
from assets.ranking.candidate_search import with_query_keys
from assets.ranking.ranked_search import ranked, search_as, text_leg
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import query_texts
from assets.services.vector_refresh import stored_vectors
from models.evaluation.breakdown import WHOLE
from models.evaluation.evaluate import evaluate, means
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker, Ranker
from models.ranking.ranker_files import StoredRanker
from warehouse.features import datasets, word_counts
from warehouse.transform.words import words
from warehouse.vectors.index_recall import index_recall

METRICS = ("recall@1", "recall@10", "recall@100", "mrr")
_PER_LOCALE = 100  # products; drawn by the seed
_WORDS = (3, 4, 5)  # drawn by the seed
_COLUMNS = {"locale": pl.String, "ranker": pl.String, "metric": pl.String, "value": pl.Float64, "queries": pl.Int64}


def measure_known_items(run_context: RunContext, target: EvaluationTarget) -> pl.DataFrame:
    """Search for sampled products by words of their titles, and measure the vector index against exact search.

    Args:
        run_context: The run, whose home holds vectors and texts.
        target: The model, its stored vectors and its ranker.

    Returns:
        Columns locale (and `all`), ranker (ranked, text, vector), metric, value and queries; and a row of the ranker `index`
        where the vector table has an index. Empty if no title is the only one of its kind in its locale.
    """
    home, seed = run_context.home, run_context.training.seed
    products = datasets.products(home.lake, target.snapshot).sort("locale", "product_id")
    catalog = Catalog(products.select("locale", "product_id"))
    known_items = _queries(products, word_counts.word_counts(home.lake, target.snapshot), seed)
    if known_items.is_empty():
        return pl.DataFrame(schema=_COLUMNS)
    judged, model = JudgedSet.from_frame(known_items, catalog), ServingModel(run_context, target.model_id)
    queries = with_query_keys(judged)
    query_vectors = model.query_vectors(queries, model.texts.encoded(query_texts(queries)), target.snapshot)
    if target.vectors is None:
        product_vectors = model.product_vectors(products)
    else:
        product_vectors = stored_vectors(run_context, *target.vectors, products)
    dense = DenseRanker(query_vectors, product_vectors)
    rankers: dict[str, Ranker] = {"vector": dense}
    if target.ranker:
        ranker = StoredRanker.load(home.rankers / target.ranker)
        version = home.texts.version() if target.text_version is None else target.text_version
        retrieved = search_as(run_context, ranker, model, catalog, judged, dense, version, target.snapshot)
        rankers |= {"text": text_leg(retrieved), RANKED: ranked(retrieved, ranker.ordering, dense)}
    evaluation = evaluate(judged, catalog, rankers, ks=(1, 10, 100))
    parts = {WHOLE: evaluation.rows} | {
        locale: evaluation.rows.filter(locale=locale) for locale in sorted(evaluation.products)
    }
    rows = [
        {"locale": locale, "ranker": name, "metric": metric, "value": values[metric], "queries": values["queries"]}
        for locale, part in parts.items()
        for name, values in means(evaluation, part).items()
        for metric in METRICS
    ]
    rows += _index_row(run_context, target, products.height)
    return pl.DataFrame(rows, schema=_COLUMNS).sort("locale", "ranker", "metric")


def _index_row(run_context: RunContext, target: EvaluationTarget, products: int) -> list[dict[str, Any]]:
    """Return the recall of the newest vector index against exact search; no row where search is exact."""
    if target.vectors is None:
        return []
    seed, queries = run_context.training.seed, run_context.release.health_sample
    recall = index_recall(run_context.home.vectors, target.vectors[0], seed=seed, queries=queries)
    measured = {"locale": WHOLE, "ranker": "index", "metric": "recall@10", "value": recall.share}
    return [measured | {"queries": min(queries, products)}] if recall.share is not None else []


def _queries(products: pl.DataFrame, weights: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return a query for each drawn product, of the words of its title that fewest products have, in the title's order.

    A product is drawn only if no other one of its locale has the same title.
    """
    alone = products.filter(~pl.struct("locale", "title").is_duplicated())
    drawn = pl.concat(
        part.sample(min(_PER_LOCALE, part.height), seed=seed)
        for part in (alone.partition_by("locale", maintain_order=True) if alone.height else [alone])
    )
    counts = pl.Series("count", np.random.default_rng(seed).choice(_WORDS, drawn.height))
    runs = (
        drawn.select("locale", "product_id", "title")
        .with_columns(counts)
        .with_row_index("query_id")
        .with_columns(run=pl.col("title").str.extract_all(r"[\p{L}\p{N}][^\s,;()\[\]]*"))
        .explode("run")
        .drop_nulls("run")
        .with_row_index("place")
    )
    telling = (
        runs.with_columns(word=words(runs["run"], runs["locale"]).str.split(" "))
        .explode("word")
        .filter(pl.col("word") != "")
        .join(weights, on=["locale", "word"], how="left")
        .group_by("query_id", "run", maintain_order=True)
        .agg(pl.col("place", "locale", "product_id", "count").first(), pl.col("weight").max().fill_null(0.0))
        .sort("query_id", pl.col("weight").neg(), "place")
        .filter(pl.int_range(pl.len()).over("query_id") < pl.col("count"))
        .sort("place")
    )
    return telling.group_by("query_id", maintain_order=True).agg(
        pl.col("locale", "product_id").first(), query=pl.col("run").str.join(" "), label=pl.lit("E").first()
    )
