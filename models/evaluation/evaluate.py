"""Evaluation: every ranker over the same judged queries, query by query, and the summary that people read."""

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
"""The most that catalog scores may take at once, in bytes: a float32 block while the next is computed."""


SLICES = {"locale": pl.String, "query_id": pl.Int64, "slice": pl.String, "part": pl.String}
"""Columns of ``Evaluation.slices``."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured, before any mean is taken.

    Attributes:
        rows: one row per ranker and query: ranker, locale, query_id, ndcg, ndcg_official, ndcg_two_gains (ndcg again, null
            with fewer than two distinct gains), ``recall@k`` for each k and reciprocal_rank (null without an Exact
            product), n_judged, n_gains (distinct ones), n_exact.
        rankings: one row per judgement: locale, query_id, product_id, label, and for each ranker ``{ranker}_rank``
            in the judged list and ``{ranker}_catalog_rank`` in the whole locale.
        products: number of products searched, by locale.
        slices: what kinds of query there are: locale, query_id, slice, part, one row per query and slice that it is in.
    """

    rows: pl.DataFrame
    rankings: pl.DataFrame
    products: Mapping[str, int]
    slices: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SLICES))

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics' columns in ``rows``."""
        between = slice(self.rows.columns.index("ndcg"), self.rows.columns.index("reciprocal_rank") + 1)
        return self.rows.columns[between]


def catalog_ranks(
    ranker: Ranker, judged: JudgedSet, catalog: Catalog, *, score_bytes: int = SCORE_BYTES
) -> NDArray[np.int64]:
    """Rank every judged product among all products of its query's locale, by score, then product id.

    Counts what stands above each of them instead of sorting, in blocks of queries.

    Args:
        ranker: what scores.
        judged: the queries and their judged products.
        catalog: what is searched.
        score_bytes: the most that scores may take at once, in bytes; one query is always scored whole.

    Returns:
        (judgements,) ranks from 1.

    Raises:
        ModelError: The ranker scored a judged product NaN.
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
                    raise ModelError("a ranker scored a product NaN", "look for an overflow in its vectors")
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
    """Measure each ranker on each query: its judged list re-ranked, and its locale's whole catalog searched.

    Args:
        judged: graded pairs; every query is searched in its own locale only.
        catalog: what is searched.
        rankers: by the name they are reported under.
        ks: cut-off ranks of recall, in products.
        score_bytes: the most that catalog scores may take at once, in bytes.

    Raises:
        ModelError: A ranker gave scores that are not finite, or of another shape than the judged set.
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
    rows, places = [], []
    for name, ranker in rankers.items():
        scores = ranker.judged_scores(judged, catalog)
        if scores.shape != judged.products.shape or not np.isfinite(scores).all():
            raise ModelError(f"ranker {name!r} did not score every judged product", "look for NaN in its vectors")
        ranks = judged_ranks(scores, judged.offsets)
        everywhere = catalog_ranks(ranker, judged, catalog, score_bytes=score_bytes)
        found = everywhere[judged.exact]
        by_query = ndcg(gains_of(judged.labels, GAINS), ranks, judged.offsets)
        columns = {
            "ndcg": by_query,
            "ndcg_official": ndcg(gains_of(judged.labels, OFFICIAL_GAINS), ranks, judged.offsets),
            "ndcg_two_gains": np.where(several_gains, by_query, np.nan),
            **{f"recall@{k}": recall(found, judged.exact_offsets, k) for k in ks},
            "reciprocal_rank": reciprocal_rank(found, judged.exact_offsets),
        }
        measured = [pl.Series(metric, values, nan_to_null=True) for metric, values in columns.items()]
        rows.append(queries.select(pl.lit(name).alias("ranker"), pl.all()).with_columns(*measured, *counts))
        places += [pl.Series(f"{name}_rank", ranks), pl.Series(f"{name}_catalog_rank", everywhere)]
    if not rows:
        raise ModelError("no ranker was given to evaluate", "name at least one")
    sizes = {locale: part.stop - part.start for locale, part in catalog.slices.items() if locale in judged.slices}
    return Evaluation(pl.concat(rows), pairs.with_columns(places), sizes)


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
    """Bootstrap the difference ``first - second`` of every metric: metric to mean, low, high, and the queries behind them.

    A metric that no query has a value for is left out. With fewer than `min_queries` queries low and high are None: the
    bootstrap knows no value that it has not seen, and its interval of a handful is far too narrow.

    Raises:
        ModelError: One of the two is not in the evaluation.
    """
    halves = [evaluation.rows.filter(pl.col("ranker") == name) for name in (first, second)]
    if any(half.is_empty() for half in halves):
        raise ModelError(f"{first!r} and {second!r} were not both measured", "evaluate both together")
    differences = {}
    for metric in evaluation.metrics:
        a, b = (half[metric].to_numpy().astype(np.float64) for half in halves)  # null to NaN
        if not np.isnan(a - b).all():
            queries = int((~np.isnan(a - b)).sum())
            told: dict[str, float | None] = asdict(paired_bootstrap(a, b, samples=samples, seed=seed, level=level))
            if queries < min_queries:
                told |= {"low": None, "high": None}
            differences[_reported(metric)] = {**told, "queries": queries}
    return differences


def summarise(
    evaluation: Evaluation, *, samples: int = 2000, seed: int = 0, level: float = 0.95, min_queries: int = 1
) -> dict[str, Any]:
    """Summarise an evaluation as plain data that can be written as JSON.

    ``rankers`` holds each ranker's means with the number of queries behind them, ``locales`` the same by locale,
    ``model_minus_encoder`` the paired bootstrap interval of every metric (empty unless both were measured), and the
    counts say how much the numbers can tell: a query with fewer than two distinct gains has the same nDCG in any order.

    Args:
        evaluation: what was measured.
        samples: resamples of the bootstrap.
        seed: of the bootstrap.
        level: of the bootstrap's interval, between 0 and 1.
        min_queries: queries from which on an interval is told.
    """
    names = evaluation.rows["ranker"].unique(maintain_order=True).to_list()
    queries = evaluation.rows.filter(pl.col("ranker") == names[0])
    both = {"model", "encoder"} <= set(names)
    return {
        "rankers": means(evaluation, evaluation.rows),
        "model_minus_encoder": (
            compare(evaluation, "model", "encoder", samples=samples, seed=seed, level=level, min_queries=min_queries)
            if both
            else {}
        ),
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
    """Return each ranker's means over some of an evaluation's rows, null where no query has a value, and their queries."""
    found = {}
    for ranker in rows["ranker"].unique(maintain_order=True):
        own = rows.filter(pl.col("ranker") == ranker)
        found[ranker] = {
            **{_reported(metric): _mean(own[metric].drop_nulls().to_list()) for metric in evaluation.metrics},
            "queries": own.height,
            "queries_with_exact": own.filter(pl.col("n_exact") > 0).height,
        }
    return found


def _mean(values: list[float]) -> float | None:
    return fsum(values) / len(values) if values else None  # fsum: no last bit that hangs on how threads split a sum


def _reported(metric: str) -> str:
    return "mrr" if metric == "reciprocal_rank" else metric
