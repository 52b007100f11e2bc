"""Evaluation: the metrics of every ranker on the same judged queries, and their summary."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import ModelError
from models.evaluation.bootstrap import paired_bootstrap
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.metrics import distinct_gains, judged_ranks, ndcg, query_of_rows, recall, reciprocal_rank
from models.evaluation.rankers import Ranker
from models.labels import GAINS, LABELS, OFFICIAL_GAINS, gains_of

SCORE_BYTES = 256 * 1024 * 1024
"""Most memory of catalog scores at once, in bytes: a float32 block while the next is computed."""


SLICES = {"locale": pl.String, "query_id": pl.Int64, "slice": pl.String, "part": pl.String}
"""Columns of ``Evaluation.slices``."""


@dataclass(frozen=True)
class Evaluation:
    """Measurements by query, before any mean.

    Attributes:
        rows: one row per ranker and query: ranker, locale, query_id, ndcg, ndcg_official, ndcg_two_gains (ndcg again, null
            with fewer than two distinct gains), ``recall@k`` for each k and reciprocal_rank (null without an Exact
            product), n_judged, n_gains (distinct ones), n_exact.
        rankings: one row per judgement: locale, query_id, product_id, label, and for each ranker ``{ranker}_rank``
            in the judged list and ``{ranker}_catalog_rank`` in the whole locale.
        products: number of searched products, by locale.
        slices: the slices of each query: locale, query_id, slice, part, one row per query and slice.
    """

    rows: pl.DataFrame
    rankings: pl.DataFrame
    products: Mapping[str, int]
    slices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SLICES))

    @property
    def metrics(self) -> list[str]:
        """Return the names of the metrics' columns in ``rows``."""
        between = slice(self.rows.columns.index("ndcg"), self.rows.columns.index("reciprocal_rank") + 1)
        return self.rows.columns[between]


def catalog_ranks(
    ranker: Ranker, judged: JudgedSet, catalog: Catalog, *, name: str = "", score_bytes: int = SCORE_BYTES
) -> NDArray[np.int64]:
    """Rank every judged product among all products of its query's locale, by score, then product id.

    Ranks come from counting the higher scores, without sorting, in blocks of queries.

    Args:
        ranker: gives the scores.
        judged: the queries and their judged products.
        catalog: the searched products.
        name: the ranker's reported name; default: its class.
        score_bytes: most memory of scores at once, in bytes; one query is always scored whole.

    Returns:
        (judgements,) ranks from 1.

    Raises:
        ModelError: The ranker gave a judged product the score NaN; the message names ranker, query and product.
    """
    ranks = np.empty(len(judged.products), dtype=np.int64)
    for locale, queries in judged.slices.items():
        products = catalog.slices[locale]
        step = max(1, score_bytes // (8 * (products.stop - products.start)))
        rows = (row for block in ranker.catalog_scores(judged, catalog, locale, step) for row in block)
        for query, row in zip(range(queries.start, queries.stop), rows, strict=True):
            for judgement in range(judged.offsets[query], judged.offsets[query + 1]):
                product = judged.products[judgement] - products.start
                score = row[product]
                if np.isnan(score):
                    raise ModelError(
                        f"ranker {name or type(ranker).__name__!r} gave the score NaN to product "
                        f"{catalog.products['product_id'][int(judged.products[judgement])]!r} for query "
                        f"{judged.queries['query_id'][query]} of locale {locale!r}",
                        "look for an overflow in the vectors of the query and the product",
                    )
                ties = np.count_nonzero(row[:product] == score)  # rows are in product id order
                ranks[judgement] = 1 + np.count_nonzero(row > score) + ties
    return ranks


def evaluate(
    judged: JudgedSet,
    catalog: Catalog,
    rankers: Mapping[str, Ranker],
    ks: Sequence[int] = (10, 100),
    *,
    score_bytes: int = SCORE_BYTES,
) -> Evaluation:
    """Measure each ranker on each query: re-rank its judged list, and search the whole catalog of its locale.

    Args:
        judged: graded pairs; every query is searched in its own locale only.
        catalog: the searched products.
        rankers: the rankers by their reported name.
        ks: cut-off ranks of recall, in products.
        score_bytes: most memory of catalog scores at once, in bytes.

    Raises:
        ModelError: A ranker returned NaN, infinity, or another number of scores than the judged set has judgements.
    """
    queries = judged.queries.select("locale", "query_id")
    pairs = queries[query_of_rows(judged.offsets)].with_columns(
        catalog.products["product_id"][judged.products],
        pl.Series("label", np.array(LABELS)[judged.labels], dtype=pl.String),
    )
    gains = distinct_gains(judged.labels, judged.offsets)
    several_gains = gains > 1
    counts = [
        pl.Series("n_judged", np.diff(judged.offsets)),
        pl.Series("n_gains", gains),
        pl.Series("n_exact", np.diff(judged.exact_offsets)),
    ]
    rows, rank_columns = [], []
    for name, ranker in rankers.items():
        scores = ranker.judged_scores(judged, catalog)
        if scores.shape != judged.products.shape or not np.isfinite(scores).all():
            raise ModelError(
                f"ranker {name!r} returned scores of shape {scores.shape} for {len(judged.products)} judged products, "
                "or NaN or infinity",
                "return one finite score per judged product",
            )
        ranks = judged_ranks(scores, judged.offsets)
        ranks_in_catalog = catalog_ranks(ranker, judged, catalog, name=name, score_bytes=score_bytes)
        exact_ranks = ranks_in_catalog[judged.exact]
        by_query = ndcg(gains_of(judged.labels, GAINS), ranks, judged.offsets)
        columns = {
            "ndcg": by_query,
            "ndcg_official": ndcg(gains_of(judged.labels, OFFICIAL_GAINS), ranks, judged.offsets),
            "ndcg_two_gains": np.where(several_gains, by_query, np.nan),
            **{f"recall@{k}": recall(exact_ranks, judged.exact_offsets, k) for k in ks},
            "reciprocal_rank": reciprocal_rank(exact_ranks, judged.exact_offsets),
        }
        metric_columns = [pl.Series(metric, values, nan_to_null=True) for metric, values in columns.items()]
        rows.append(queries.select(pl.lit(name).alias("ranker"), pl.all()).with_columns(*metric_columns, *counts))
        rank_columns += [pl.Series(f"{name}_rank", ranks), pl.Series(f"{name}_catalog_rank", ranks_in_catalog)]
    if not rows:
        raise ModelError("no ranker was given to evaluate", "give at least one ranker")
    sizes = {locale: part.stop - part.start for locale, part in catalog.slices.items() if locale in judged.slices}
    return Evaluation(pl.concat(rows), pairs.with_columns(rank_columns), sizes)


def compare(
    evaluation: Evaluation,
    first: str,
    second: str,
    *,
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_queries: int = 1,
) -> dict[str, dict[str, float | None]]:
    """Bootstrap the difference ``first - second`` of every metric: metric to mean, low, high and number of queries.

    A metric without a value for any query is left out. With fewer than `min_queries` queries low and high are None: a
    bootstrap interval over a handful of queries is far too narrow.

    Raises:
        ModelError: One of the two rankers is not in the evaluation.
    """
    halves = [evaluation.rows.filter(pl.col("ranker") == name) for name in (first, second)]
    if any(half.is_empty() for half in halves):
        raise ModelError(
            f"rankers {first!r} and {second!r} were not both measured", "evaluate the two rankers together"
        )
    differences = {}
    for metric in evaluation.metrics:
        a, b = (half[metric].to_numpy().astype(np.float64) for half in halves)  # null to NaN
        if not np.isnan(a - b).all():
            queries = int((~np.isnan(a - b)).sum())
            difference: dict[str, float | None] = asdict(
                paired_bootstrap(a, b, samples=samples, seed=seed, level=level)
            )
            if queries < min_queries:
                difference |= {"low": None, "high": None}
            differences[_public_name(metric)] = {**difference, "queries": queries}
    return differences


def summarize(
    evaluation: Evaluation, *, samples: int = 2000, seed: int = 0, level: float = 0.95, min_queries: int = 1
) -> dict[str, Any]:
    """Summarize an evaluation as plain data that can be written as JSON.

    ``rankers`` holds each ranker's means and their numbers of queries, and ``locales`` the same by locale.
    ``model_minus_encoder``, ``ranked_minus_model`` and ``ranked_minus_bm25`` hold the paired bootstrap interval of every metric
    (empty unless both were measured). The counts show how informative the means are: a query with fewer than two distinct
    gains has the same nDCG in any order.

    Args:
        evaluation: the measurements by query.
        samples: resamples of the bootstrap.
        seed: seed of the bootstrap.
        level: confidence level of the interval, between 0 and 1.
        min_queries: fewest queries for which an interval is reported.
    """
    names = evaluation.rows["ranker"].unique(maintain_order=True).to_list()
    leads = {
        f"{first}_minus_{second}": compare(
            evaluation, first, second, samples=samples, seed=seed, level=level, min_queries=min_queries
        )
        if {first, second} <= set(names)
        else {}
        for first, second in (("model", "encoder"), ("ranked", "model"), ("ranked", "bm25"))
    }
    queries = evaluation.rows.filter(pl.col("ranker") == names[0])
    return {
        "rankers": means(evaluation, evaluation.rows),
        **leads,
        "locales": {
            locale: means(evaluation, evaluation.rows.filter(pl.col("locale") == locale))
            for locale in sorted(evaluation.products)
        },
        "queries": queries.height,
        "queries_with_exact": queries.filter(pl.col("n_exact") > 0).height,
        "queries_with_two_gains": queries.filter(pl.col("n_gains") > 1).height,
        "judgements": evaluation.rankings.height,
        "products": dict(evaluation.products),
        "bootstrap": {"samples": samples, "seed": seed, "level": level, "min_queries": min_queries},
    }


def means(evaluation: Evaluation, rows: pl.DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Return each ranker's means over some rows of an evaluation (None if no query has a value) and its numbers of queries."""
    by_ranker = {}
    for ranker in rows["ranker"].unique(maintain_order=True):
        ranker_rows = rows.filter(pl.col("ranker") == ranker)
        by_ranker[ranker] = {
            **{
                _public_name(metric): _mean(ranker_rows[metric].drop_nulls().to_list()) for metric in evaluation.metrics
            },
            "queries": ranker_rows.height,
            "queries_with_exact": ranker_rows.filter(pl.col("n_exact") > 0).height,
        }
    return by_ranker


def _mean(values: list[float]) -> float | None:
    return fsum(values) / len(values) if values else None  # fsum: exact, whatever order threads sum in


def _public_name(metric: str) -> str:
    return "mrr" if metric == "reciprocal_rank" else metric
