"""Relevance metrics over many queries at once: nDCG on judged lists, recall and reciprocal rank on whole catalogs.

Flat arrays hold the rows of all queries one query after another: query q owns the rows ``offsets[q]:offsets[q + 1]``, with
``offsets`` (queries + 1,). Ranks count from 1. A metric that is undefined for a query is NaN, and callers leave it out of
the mean.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.labels import LABELS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def query_of_rows(offsets: Integers) -> Integers:
    """Number the query that owns each row: (queries + 1,) to (rows,)."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def judged_ranks(scores: NDArray[np.floating[Any]], offsets: Integers) -> Integers:
    """Rank the rows inside each query by descending score; equal scores keep their order.

    So rows in product id order have ties broken by ascending product id.

    Args:
        scores: (rows,), finite.
        offsets: (queries + 1,).

    Returns:
        (rows,) ranks from 1.
    """
    queries = query_of_rows(offsets)
    order = np.lexsort((-scores, queries))  # stable: ties stay in row order
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[order] = np.arange(len(scores)) - offsets[queries] + 1
    return ranks


def ndcg(gains: Floats, ranks: Integers, offsets: Integers) -> Floats:
    """Compute normalized discounted cumulative gain over each query's full judged list, without a cut-off.

    DCG = sum of gain / log2(1 + rank), divided by the DCG of the best order of the same list (Järvelin and Kekäläinen,
    2002, with gains used as they are). A query without any gain scores 0 and counts in the mean.

    Args:
        gains: (rows,), none negative.
        ranks: (rows,) a permutation of 1..n inside each query.
        offsets: (queries + 1,).

    Returns:
        (queries,) in 0 to 1.
    """
    queries, count = query_of_rows(offsets), len(offsets) - 1
    dcg = np.bincount(queries, gains / np.log2(1.0 + ranks), minlength=count)
    ideal_dcg = np.bincount(queries, gains / np.log2(1.0 + judged_ranks(gains, offsets)), minlength=count)
    scores: Floats = np.divide(dcg, ideal_dcg, out=np.zeros(count), where=ideal_dcg > 0)
    return scores


def recall(ranks: Integers, offsets: Integers, k: int) -> Floats:
    """Compute the share of each query's Exact products that rank among the first k of the catalog.

    Args:
        ranks: (positives,) catalog ranks of the Exact products.
        offsets: (queries + 1,) into ``ranks``.
        k: cut-off rank, in products.

    Returns:
        (queries,) in 0 to 1; NaN for a query without an Exact product.
    """
    count = np.diff(offsets)
    hits = np.bincount(query_of_rows(offsets), ranks <= k, minlength=len(count))
    shares: Floats = np.divide(hits, count, out=np.full(len(count), np.nan), where=count > 0)
    return shares


def reciprocal_rank(ranks: Integers, offsets: Integers) -> Floats:
    """Compute 1 / rank of each query's highest-ranked Exact product in the catalog, without a cut-off.

    Args:
        ranks: (positives,) catalog ranks of the Exact products.
        offsets: (queries + 1,) into ``ranks``.

    Returns:
        (queries,) in 0 to 1; NaN for a query without an Exact product.
    """
    best = np.zeros(len(offsets) - 1)
    np.maximum.at(best, query_of_rows(offsets), 1.0 / ranks)
    return np.where(np.diff(offsets) > 0, best, np.nan)


def distinct_gains(labels: NDArray[np.integer[Any]], offsets: Integers) -> Integers:
    """Count each query's distinct labels: a query with only one has the same nDCG in every order.

    Args:
        labels: (rows,) label codes.
        offsets: (queries + 1,).

    Returns:
        (queries,) counts from 0 to 4.
    """
    is_present = np.zeros((len(offsets) - 1, len(LABELS)), dtype=np.bool_)
    is_present[query_of_rows(offsets), labels] = True
    counts: Integers = is_present.sum(axis=1, dtype=np.int64)
    return counts
