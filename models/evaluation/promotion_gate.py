"""The gate: whether a new model may take the place of another, by what both find for the same queries."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from models.errors import ModelError
from models.evaluation.bootstrap import Interval, paired_bootstrap
from models.evaluation.evaluate import evaluate
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import Ranker

Decision = Literal["passed", "refused", "undecided", "forced", "first"]
PUBLISHED: tuple[Decision, ...] = ("passed", "forced", "first")
"""The decisions with which a model goes live."""

_CUT = 10


@dataclass(frozen=True)
class Comparison:
    """Hold recall@10 of a challenger and of a baseline over the queries that have an Exact product, and the difference.

    Without such a query there is none of the three, and with too few to judge by there is no difference.
    """

    queries: int
    challenger: float | None = None
    baseline: float | None = None
    difference: Interval | None = None


def compare_recall(
    judged: JudgedSet, catalog: Catalog, challenger: Ranker, baseline: Ranker, *, seed: int, min_queries: int = 1
) -> Comparison:
    """Search the whole catalog with both rankers and bootstrap the difference, challenger minus baseline, query by query.

    With fewer than `min_queries` queries there is no difference: the interval of a handful says that it is sure, of a model
    that changed none of them by chance.
    """
    rows = evaluate(judged, catalog, {"candidate": challenger, "baseline": baseline}, ks=(_CUT,)).rows
    found, other = (
        rows.filter(pl.col("ranker") == name)[f"recall@{_CUT}"].drop_nulls().to_numpy()
        for name in ("candidate", "baseline")
    )
    if not len(found):
        return Comparison(0)
    return Comparison(
        queries=len(found),
        challenger=float(found.mean()),
        baseline=float(other.mean()),
        difference=paired_bootstrap(found, other, seed=seed) if len(found) >= min_queries else None,
    )


def decide(
    low: float | None, margin: float, *, is_first: bool = False, is_demoted: bool = False, force: bool = False
) -> Decision:
    """Decide by the lower end of the difference's interval: it must lie above minus the margin.

    The first model of all passes whatever it scores: without it there is nothing to search. Without an interval (None)
    nothing is known of a model: it is undecided, and does not go live. One that people withdrew after it had been live is
    refused. Either is published by force.

    Raises:
        ModelError: The margin is negative: not even an equal model could pass.
    """
    if margin < 0:
        raise ModelError(f"a margin of {margin} refuses every model", "set it to 0 or more")
    if is_first:
        return "first"
    if low is not None and low > -margin and not is_demoted:
        return "passed"
    if force:
        return "forced"
    return "refused" if low is not None or is_demoted else "undecided"


def is_undecidable(difference: Interval, margin: float) -> bool:
    """Tell whether the interval is so wide that even a model as good as the baseline would be refused."""
    return difference.low - difference.mean <= -margin
