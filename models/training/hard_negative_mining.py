"""Hard negative mining: products near a query that nobody judged relevant to it, in bounded memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from models.labels import EXACT, IRRELEVANT

Rows = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

SCORES = 1 << 25
"""Scores in memory at once: 128 MiB, and as much again to select from them."""

_PAIRS = 1 << 13  # pairs whose cosine is computed at once: 3 × 25 MB at 384 dimensions
_DECIMALS = 6  # decimals of a cosine, so that products with the same text tie
_NO_EXACT = -2.0  # below every cosine
_SLACK = 1e-5  # more than the error of a float32 matrix product and of rounding


class MiningSettings(BaseModel):
    """Choose which products near a query become its hard negatives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_query: int = Field(0, ge=0, description="Largest number of hard negatives of a query; 0: no mining.")
    depth: int = Field(100, ge=1, description="Number of nearest products of the query's locale that are considered.")
    skip: int = Field(
        0,
        ge=0,
        description="Number of nearest products that are excluded, since they are the most likely to be relevant.",
    )
    positive_share: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Highest score of a negative, as a share of the score of the query's best Exact product.",
    )
    queries: int = Field(
        20_000, ge=1, description="Largest number of train queries with mined negatives; drawn by hash."
    )
    product_rows: int = Field(131_072, ge=1, description="Number of products whose vectors are in memory at once.")


@dataclasses.dataclass(frozen=True)
class JudgedRows:
    """Hold judgements: row numbers `query` and `product`, and codes `label` of `models.labels`, each (judgements,)."""

    query: Rows
    product: Rows
    label: npt.NDArray[np.int8]


@dataclasses.dataclass(frozen=True)
class Mined:
    """Hold hard negatives, by query and best first, and how many of the nearest products each rule left out.

    `query` and `product` are row numbers, `rank` is the rank among all products of the catalog from 1, `score` the cosine;
    `positive` is the row of the query's best Exact product, `positive_score` its cosine; `irrelevant` marks negatives that
    were judged Irrelevant. All (negatives,).
    """

    query: Rows
    product: Rows
    rank: Rows
    score: Scores
    positive: Rows
    positive_score: Scores
    irrelevant: npt.NDArray[np.bool_]
    looked_at: int
    relevant: int
    skipped: int
    too_close: int


def mine(queries: Matrix, blocks: Iterable[Matrix], judged: JudgedRows, settings: MiningSettings) -> Mined:
    """Return the hard negatives of queries (queries, dim) in a catalog that comes in blocks (products, dim) of vectors.

    Vectors have length 1. Three rules leave out some of the `depth` products nearest to a query, in this order. Products judged
    E, S or C for it go first, then the first `skip` ranks. Products that score above `positive_share` of the query's best Exact
    product go last: they are likely relevant but unjudged. A query without an Exact product in the catalog has no negatives.
    Source of the margin: NV-Retriever, positive-aware mining, TopK-PercPos (arXiv 2407.15831).

    The search is exact; equal scores are ordered by row. The result does not depend on the blocks: matrix products only select
    candidates, whose cosines are then computed pair by pair.
    """
    nearest = _Nearest.none()
    exact = np.flatnonzero(judged.label == EXACT)
    score = np.full(len(exact), _NO_EXACT)
    start = 0
    for block in blocks:
        in_block = (judged.product[exact] >= start) & (judged.product[exact] < start + len(block))
        pairs = exact[in_block]
        score[in_block] = _cosines(queries, block, judged.query[pairs], judged.product[pairs] - start)
        thresholds = nearest.thresholds(len(queries), settings.depth)
        nearest = nearest.with_block(*_near(queries, block, thresholds, settings.depth), start, settings.depth)
        start += len(block)
    best = _best(judged.query[exact], judged.product[exact], score, len(queries))
    return _choose(nearest, best, judged, max(start, 1), settings)


@dataclasses.dataclass(frozen=True)
class _Nearest:
    """Hold the nearest products so far, by query and best first; all fields are (products,)."""

    query: Rows
    product: Rows
    score: Scores

    @classmethod
    def none(cls) -> _Nearest:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    @property
    def rank(self) -> Rows:
        """Return the rank of each product within its query, from 0."""
        return np.arange(len(self.query)) - np.searchsorted(self.query, self.query)

    def thresholds(self, queries: int, depth: int) -> Scores:
        """Return the score that each query's next product must reach: (queries,)."""
        last = self.rank == depth - 1
        thresholds = np.full(queries, -np.inf)
        thresholds[self.query[last]] = self.score[last]
        return thresholds

    def with_block(self, query: Rows, product: Rows, score: Scores, start: int, depth: int) -> _Nearest:
        """Return the nearest products of these and of a block whose first product is row `start`."""
        query, product = np.concatenate([self.query, query]), np.concatenate([self.product, product + start])
        score = np.concatenate([self.score, score])
        order = np.lexsort((product, -score, query))
        merged = _Nearest(query[order], product[order], score[order])
        return merged.take(merged.rank < depth)

    def take(self, mask: npt.NDArray[np.bool_]) -> _Nearest:
        return _Nearest(self.query[mask], self.product[mask], self.score[mask])


def _near(queries: Matrix, block: Matrix, thresholds: Scores, depth: int) -> tuple[Rows, Rows, Scores]:
    """Return (query, row in the block, cosine) of all products that may be among the nearest, and of few others."""
    candidates: list[tuple[Rows, Rows]] = []
    height = max(1, SCORES // max(1, len(block)))
    for start in range(0, len(queries) if len(block) else 0, height):
        scores = queries[start : start + height] @ block.T  # (height, block)
        threshold = thresholds[start : start + height]
        if len(block) > depth:
            threshold = np.maximum(threshold, np.partition(scores, -depth, axis=1)[:, -depth])
        query, product = np.nonzero(scores >= (threshold - _SLACK).astype(np.float32)[:, None])
        candidates.append((query + start, product))
    if not candidates:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    query, product = (np.concatenate(parts) for parts in zip(*candidates, strict=True))
    return query, product, _cosines(queries, block, query, product)


def _cosines(queries: Matrix, products: Matrix, query: Rows, product: Rows) -> Scores:
    """Return the rounded cosines of pairs of rows; unlike in a matrix product, pairs do not affect each other."""
    result = np.empty(len(query))
    for start in range(0, len(query), _PAIRS):
        part = slice(start, start + _PAIRS)
        result[part] = (queries[query[part]].astype(np.float64) * products[product[part]]).sum(axis=1)
    return np.round(result, _DECIMALS)


def _best(query: Rows, product: Rows, score: Scores, queries: int) -> tuple[Rows, Scores]:
    """Return each query's best product and its score, -1 and -2 where it has none: (queries,) each."""
    best, best_score = np.full(queries, -1), np.full(queries, _NO_EXACT)
    order = np.lexsort((product, -score, query))
    first = order[np.searchsorted(query[order], np.unique(query))]
    best[query[first]], best_score[query[first]] = product[first], score[first]
    return best, best_score


def _choose(
    nearest: _Nearest, positive: tuple[Rows, Scores], judged: JudgedRows, products: int, settings: MiningSettings
) -> Mined:
    pair, judged_pair = nearest.query * products + nearest.product, judged.query * products + judged.product
    relevant = np.isin(pair, judged_pair[judged.label != IRRELEVANT])
    skipped = ~relevant & (nearest.rank < settings.skip)
    best = positive[1][nearest.query]
    bound = best - (1 - settings.positive_share) * np.abs(best)  # below the positive's score whatever its sign
    too_close = ~relevant & ~skipped & (nearest.score > bound)
    negatives = np.flatnonzero(~(relevant | skipped | too_close))
    query_of = nearest.query[negatives]
    negatives = negatives[np.arange(len(query_of)) - np.searchsorted(query_of, query_of) < settings.per_query]
    return Mined(
        query=nearest.query[negatives],
        product=nearest.product[negatives],
        rank=nearest.rank[negatives] + 1,
        score=nearest.score[negatives],
        positive=positive[0][nearest.query[negatives]],
        positive_score=best[negatives],
        irrelevant=np.isin(pair[negatives], judged_pair[judged.label == IRRELEVANT]),
        looked_at=len(pair),
        relevant=int(relevant.sum()),
        skipped=int(skipped.sum()),
        too_close=int(too_close.sum()),
    )
