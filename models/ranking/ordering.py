"""Orderings: the ways to order candidates, from the simplest to the learned one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.ranking.candidates import Candidates
from models.ranking.forest import Forest

Method = Literal["vector", "text", "reciprocal_rank", "weighted", "learned"]
METHODS: tuple[Method, ...] = get_args(Method)
"""The methods, the simplest first."""

DEFAULT_WEIGHT = 0.5
"""The weight of the text share where no query tells a better one."""

_RANK_CONSTANT = 60  # of reciprocal rank fusion (Cormack et al., 2009)


@dataclass(frozen=True)
class Ordering:
    """Score candidates by one method.

    - vector: the cosine of the towers' vectors.
    - text: the text score.
    - reciprocal_rank: the sum of 1 / (60 + rank) over both.
    - weighted: the cosine + `weight` times the text score as a share of the query's highest.
    - learned: the forest's score + `weight` times the cosine. The forest reads no vector: the towers have seen the train
      queries, so that their cosines look better there than they are, and one weight is found on validation queries.

    All but `vector` leave out the cosines of a query that the encoder cannot read: they are as high for any product that it
    cannot read either.

    A locale in `weights` has a weight of its own: an encoder may know one language and not another.
    """

    method: Method
    weight: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    forest: Forest | None = None

    def __call__(self, candidates: Candidates) -> NDArray[np.float64]:
        """Return the score of each pair, higher is better: (pairs,)."""
        if self.method == "vector":
            return candidates.cosines
        if self.method == "text":
            return candidates.text_scores
        if self.method == "reciprocal_rank":
            by_vector = candidates.readable[candidates.queries] / (_RANK_CONSTANT + candidates.vector_ranks)
            return 1 / (_RANK_CONSTANT + candidates.text_ranks) + by_vector
        weights = np.full(len(candidates.cosines), self.weight)
        for locale, weight in self.weights.items():
            weights[candidates.locales == locale] = weight
        if self.method == "weighted" or self.forest is None:
            return candidates.meaningful_cosines + weights * candidates.text_shares
        return self.forest(candidates.learned_from) + weights * candidates.meaningful_cosines


DEFAULT = Ordering("weighted", DEFAULT_WEIGHT)
"""The ordering where too few queries are judged to tell a better one."""
