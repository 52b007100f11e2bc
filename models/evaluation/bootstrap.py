"""The paired bootstrap: a confidence interval for the difference between two rankers on the same queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.errors import ModelError

_CHUNK = 4_000_000  # resampled queries in memory at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of its confidence interval, in the metric's own unit."""

    mean: float
    low: float
    high: float


def paired_bootstrap(a: ArrayLike, b: ArrayLike, *, samples: int = 2000, seed: int, level: float = 0.95) -> Interval:
    """Estimate the mean of ``a - b`` over queries with a percentile interval.

    Queries are resampled with replacement, each keeping its pair together (Efron and Tibshirani, 1993, chapter 13;
    for retrieval Sakai, 2006).

    Args:
        a: (queries,) a metric of the first ranker; NaN where it is undefined.
        b: (queries,) the same metric of the second ranker, for the same queries in the same order.
        samples: number of resamples.
        seed: seed of the resampling.
        level: share of the resampled means inside the interval, between 0 and 1.

    Returns:
        The mean and bounds over the queries where neither is NaN.

    Raises:
        ModelError: The two differ in length, share no query, or the settings are out of range.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ModelError(
            f"both rankers need one value per query, not arrays of shapes {first.shape} and {second.shape}",
            "measure both rankers on the same queries",
        )
    if samples < 1 or not 0 < level < 1:
        raise ModelError(
            f"cannot bootstrap {samples} samples at level {level}",
            "give at least 1 sample, and a level between 0 and 1",
        )
    difference = first - second
    difference = difference[~np.isnan(difference)]
    count = len(difference)
    if count == 0:
        raise ModelError("no query has a value for both rankers", "judge at least one query with an Exact product")
    random = np.random.default_rng(seed)
    means = np.empty(samples)
    step = max(1, _CHUNK // count)
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        resamples = random.integers(count, size=(stop - start, count))
        means[start:stop] = difference[resamples].mean(axis=1)  # (chunk, queries) to (chunk,)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(difference.mean()), float(low), float(high))
