"""Candidates: the products that the two legs of a search found for some queries, as plain arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import query_of_rows

TEXT_SCORE = "text_score"
"""The feature by which the text leg ranks."""

RELATIVE = ("text_share", "text_rank")
"""The features that compare a candidate with the query's others: text_score as a share of the highest, and the rank by it."""


@dataclass(frozen=True)
class Candidates:
    """Hold scored pairs, one query after another.

    Attributes:
        offsets: (queries + 1,) start of each query's pairs.
        cosines: (pairs,) cosine of the towers' vectors of query and product.
        features: (pairs, features) pair features; NaN where there is no value.
        names: the names of the features, in order; `text_score` is among them.
        locales: (pairs,) locale of the product.
        readable: (queries,) whether the encoder knows the query's words; where not, its cosines say nothing.
        found: (pairs,) whether a leg found the product. An evaluation also scores judged products that no leg found: they
            affect no score of another.
    """

    offsets: NDArray[np.int64]
    cosines: NDArray[np.float64]
    features: NDArray[np.float64]
    names: tuple[str, ...]
    locales: NDArray[np.str_]
    readable: NDArray[np.bool_]
    found: NDArray[np.bool_]

    @cached_property
    def queries(self) -> NDArray[np.int64]:
        """Return the query of each pair: (pairs,)."""
        return query_of_rows(self.offsets)

    @cached_property
    def meaningful_cosines(self) -> NDArray[np.float64]:
        """Return the cosines, 0 for every pair of a query that the encoder cannot read: (pairs,)."""
        return np.where(self.readable[self.queries], self.cosines, 0.0)

    @cached_property
    def text_scores(self) -> NDArray[np.float64]:
        """Return the text scores: (pairs,)."""
        return self.features[:, self.names.index(TEXT_SCORE)]

    @cached_property
    def text_shares(self) -> NDArray[np.float64]:
        """Return each text score as a share of the query's highest among the found, 0 if that is 0: (pairs,)."""
        highest = np.zeros(len(self.offsets) - 1)
        np.maximum.at(highest, self.queries[self.found], self.text_scores[self.found])
        highest = highest[self.queries]
        return np.divide(self.text_scores, highest, out=np.zeros_like(highest), where=highest > 0)

    @cached_property
    def text_ranks(self) -> NDArray[np.float64]:
        """Return the rank of each pair by text score: 1 + the found products of its query with a higher one: (pairs,)."""
        return self._ranks(self.text_scores)

    @cached_property
    def vector_ranks(self) -> NDArray[np.float64]:
        """Return the rank of each pair by cosine, counted like `text_ranks`: (pairs,)."""
        return self._ranks(self.cosines)

    @cached_property
    def learned_from(self) -> NDArray[np.float64]:
        """Return what a forest reads: the features, text_share and text_rank: (pairs, features + 2)."""
        return np.column_stack([self.features, self.text_shares, self.text_ranks])

    def _ranks(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        ranks = np.empty(len(scores))
        for start, stop in zip(self.offsets, self.offsets[1:], strict=False):
            own = scores[start:stop]
            found = np.sort(own[self.found[start:stop]])
            ranks[start:stop] = 1 + len(found) - np.searchsorted(found, own, side="right")
        return ranks
