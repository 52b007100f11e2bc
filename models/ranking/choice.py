"""The choice of an ordering: the best on validation queries, unless a simpler one may be as good."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.evaluation.bootstrap import paired_bootstrap
from models.ranking.candidates import Candidates
from models.ranking.forest import Forest
from models.ranking.ordering import DEFAULT, METHODS, Method, Ordering

_CUT = 10
_PRIOR = 30  # queries
_WEIGHTS: dict[Method, tuple[float, ...]] = {
    "weighted": (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0),
    "learned": (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0),
}


@dataclass(frozen=True)
class Trial:
    """Hold recall@10 of one method on the validation queries, and its difference to the method that it has to beat."""

    method: Method
    weight: float
    weights: Mapping[str, float]
    recall_at_10: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    against: Method | None = None


@dataclass(frozen=True)
class Choice:
    """Hold the chosen ordering, the reason, and the trials of all methods."""

    ordering: Ordering
    reason: str
    trials: tuple[Trial, ...]
    queries: int


@dataclass(frozen=True)
class Quality:
    """Hold two metrics of each query that has an Exact product: (queries with one,) each."""

    recall_at_10: NDArray[np.float64]
    reciprocal_rank: NDArray[np.float64]


def quality(
    scores: NDArray[np.float64], candidates: Candidates, exact: NDArray[np.bool_], totals: NDArray[np.int64]
) -> Quality:
    """Return recall@10 and the reciprocal rank of the first Exact product.

    Args:
        scores: the score of each pair; equal scores keep the order of the pairs.
        candidates: the pairs, of which those found count.
        exact: (pairs,) whether the product is Exact for the query.
        totals: (queries,) number of Exact products of each query, found or not.
    """
    rows = np.flatnonzero(candidates.is_retrieved)
    queries = candidates.queries[rows]
    order = np.lexsort((rows, -scores[rows], queries))
    starts = np.searchsorted(queries, np.arange(len(totals)))
    places = np.arange(len(rows)) - starts[queries[order]]
    is_exact = exact[rows][order]
    hits = np.bincount(queries[order], weights=is_exact & (places < _CUT), minlength=len(totals))
    first = np.zeros(len(totals))
    np.maximum.at(first, queries[order][is_exact], 1 / (1 + places[is_exact]))
    known = totals > 0
    return Quality(hits[known] / totals[known], first[known])


def choose(
    candidates: Candidates,
    exact: NDArray[np.bool_],
    totals: NDArray[np.int64],
    forest: Forest | None,
    *,
    margin: float,
    min_queries: int,
    seed: int,
    methods: Iterable[Method] = METHODS,
) -> Choice:
    """Choose an ordering by recall@10 on validation queries.

    Going from the simplest method to the most complex, a method replaces the one chosen so far if its recall is higher and the
    lower 95 % bound of the difference lies above minus the margin.

    A weight is the one with the best sum of recall@10 and reciprocal rank: recall alone ties where queries are few. A locale
    gets the weight that is best on its own queries together with `_PRIOR` queries like those of all locales, so that few
    queries move it little.

    Args:
        candidates: the candidates of the validation queries.
        exact: (pairs,) whether the product is Exact for the query.
        totals: (queries,) number of Exact products of each query, found or not.
        forest: the learned trees, None if none were trained.
        margin: as the gate's.
        min_queries: fewest queries with an Exact product that can tell one method from another.
        seed: seed of the bootstrap.
        methods: the methods to try.
    """
    queries = int((totals > 0).sum())
    if queries < min_queries:
        reason = f"{queries:,} validation queries are too few to judge, {min_queries:,} are wanted"
        return Choice(unjudged(methods), reason, (), queries)

    def value_of(option: Ordering) -> NDArray[np.float64]:
        measured = quality(option(candidates), candidates, exact, totals)
        return measured.recall_at_10 + measured.reciprocal_rank

    locale_of = _locales(candidates, totals > 0)
    trials: list[Trial] = []
    chosen: tuple[Ordering, NDArray[np.float64]] | None = None
    for method in METHODS:
        if method not in methods or (method == "learned" and forest is None):
            continue
        trees, weights = forest if method == "learned" else None, _WEIGHTS.get(method, (0.0,))
        measured = np.array(
            [value_of(Ordering(method, weight, forest=trees)) for weight in weights]
        )  # (weights, queries)
        best = _best(measured, measured)
        own = {locale: _best(measured[:, locale_of == locale], measured) for locale in np.unique(locale_of)}
        ordering = Ordering(
            method, weights[best], {str(locale): weights[each] for locale, each in own.items() if each != best}, trees
        )
        recall = quality(ordering(candidates), candidates, exact, totals).recall_at_10
        trial = Trial(method, ordering.weight, ordering.weights, float(recall.mean()))
        if chosen is None:
            chosen = ordering, recall
        else:
            interval = paired_bootstrap(recall, chosen[1], seed=seed)
            trial = replace(
                trial, difference=interval.mean, low=interval.low, high=interval.high, against=chosen[0].method
            )
            if interval.mean > 0 and interval.low > -margin:
                chosen = ordering, recall
        trials.append(trial)
    ordering = chosen[0] if chosen is not None else DEFAULT
    return Choice(ordering, f"the best of {len(trials)} on {queries:,} validation queries", tuple(trials), queries)


def unjudged(methods: Iterable[Method]) -> Ordering:
    """Return the ordering where no query can tell a better one: the only method without a weight, else the default."""
    named = tuple(methods)
    return Ordering(named[0]) if len(named) == 1 and named[0] not in _WEIGHTS else DEFAULT


def _best(own: NDArray[np.float64], overall: NDArray[np.float64]) -> int:
    """Return the row with the highest sum over some queries and `_PRIOR` queries like those of all."""
    return int(np.argmax(own.sum(axis=1) + _PRIOR * overall.mean(axis=1)))


def _locales(candidates: Candidates, known: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return the locale of each known query: (known queries,); empty for one without a candidate."""
    places = np.minimum(candidates.offsets[:-1], max(len(candidates.locales) - 1, 0))
    locales = np.where(np.diff(candidates.offsets) > 0, candidates.locales[places], "")
    return locales[known]
