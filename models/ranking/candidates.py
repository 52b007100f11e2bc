"""Candidates: the products that the two legs of a search found for some queries, as plain arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import query_of_rows

TEXT_SCORE = "text_score"
"""The feature by which the text leg ranks."""

COMPUTED = ("text_share", "text_rank", "likelihood", "likelihood_gap")
"""The features beside those of the pair: text_score as a share of the query's highest, and the rank by it; the likelihood of the
query for the title by learned translations, and its distance to the query's highest."""


@dataclass(frozen=True)
class Candidates:
    """Hold scored pairs, one query after another.

    Attributes:
        offsets: (queries + 1,) start of each query's pairs.
        cosines: (pairs,) cosine of the towers' vectors of query and product.
        features: (pairs, features) pair features; NaN where there is no value.
        likelihoods: (pairs,) of the query for the title, as `Translations` gives them; NaN where there is none.
        names: the names of the features, in order; `text_score` is among them.
        locales: (pairs,) locale of the product.
        readable: (queries,) whether the encoder knows the query's words; where not, its cosines say nothing.
        is_retrieved: (pairs,) whether a leg found the product. An evaluation also scores judged products that no leg found: they
            affect no score of another.
    """

    offsets: NDArray[np.int64]
    cosines: NDArray[np.float64]
    features: NDArray[np.float64]
    likelihoods: NDArray[np.float64]
    names: tuple[str, ...]
    locales: NDArray[np.str_]
    readable: NDArray[np.bool_]
    is_retrieved: NDArray[np.bool_]

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
        highest = np.maximum(self._highest(self.text_scores), 0)
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
    def likelihood_gaps(self) -> NDArray[np.float64]:
        """Return each likelihood less the query's highest among the found: (pairs,)."""
        return self.likelihoods - self._highest(self.likelihoods)

    @cached_property
    def learned_from(self) -> NDArray[np.float64]:
        """Return what a forest reads, the features and those of `COMPUTED`: (pairs, features + 4)."""
        computed = self.text_shares, self.text_ranks, self.likelihoods, self.likelihood_gaps
        return np.column_stack([self.features, *computed])

    def _highest(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the highest score among the found of each pair's query, NaN without one: (pairs,)."""
        highest = np.full(len(self.offsets) - 1, np.nan)
        np.fmax.at(highest, self.queries[self.is_retrieved], scores[self.is_retrieved])
        own: NDArray[np.float64] = highest[self.queries]
        return own

    def _ranks(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        ranks = np.empty(len(scores))
        for start, stop in zip(self.offsets, self.offsets[1:], strict=False):
            own = scores[start:stop]
            retrieved = np.sort(own[self.is_retrieved[start:stop]])
            ranks[start:stop] = 1 + len(retrieved) - np.searchsorted(retrieved, own, side="right")
        return ranks
