"""The gate: decide whether a new model may replace another, by the recall of both on the same queries."""

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
"""The decisions after which a model goes live."""

_CUT = 10


@dataclass(frozen=True)
class Comparison:
    """Hold recall@10 of a challenger and of a baseline over the queries that have an Exact product, and the difference.

    Without such a query all three are None; with too few queries the difference is None.
    """

    queries: int
    challenger: float | None = None
    baseline: float | None = None
    difference: Interval | None = None


def compare_recall(
    judged: JudgedSet, catalog: Catalog, challenger: Ranker, baseline: Ranker, *, seed: int, min_queries: int = 1
) -> Comparison:
    """Search the whole catalog with both rankers and bootstrap the difference, challenger minus baseline, query by query.

    With fewer than `min_queries` queries the difference is None: if a model happens to change none of a handful of queries,
    their interval has width 0.
    """
    rows = evaluate(judged, catalog, {"challenger": challenger, "baseline": baseline}, ks=(_CUT,)).rows
    challenger_recall, baseline_recall = (
        rows.filter(pl.col("ranker") == name)[f"recall@{_CUT}"].drop_nulls().to_numpy()
        for name in ("challenger", "baseline")
    )
    if not len(challenger_recall):
        return Comparison(0)
    return Comparison(
        queries=len(challenger_recall),
        challenger=float(challenger_recall.mean()),
        baseline=float(baseline_recall.mean()),
        difference=paired_bootstrap(challenger_recall, baseline_recall, seed=seed)
        if len(challenger_recall) >= min_queries
        else None,
    )


def decide(
    low: float | None,
    margin: float,
    *,
    is_first: bool = False,
    is_same: bool = False,
    is_demoted: bool = False,
    force: bool = False,
) -> Decision:
    """Decide by the lower end of the difference's interval: it must lie above minus the margin.

    The first model passes with any score, since without it there is nothing to search. A model without an interval (None) is
    undecided and does not go live, unless a search with it orders products as before (`is_same`). A demoted model, which a
    rollback replaced, is refused. Force publishes either.

    Raises:
        ModelError: The margin is negative: not even an equal model could pass.
    """
    if margin < 0:
        raise ModelError(f"a margin of {margin} refuses every model", "set the margin to 0 or more")
    if is_first:
        return "first"
    is_no_worse = is_same if low is None else low > -margin
    if is_no_worse and not is_demoted:
        return "passed"
    if force:
        return "forced"
    return "refused" if low is not None or is_demoted else "undecided"


def is_undecidable(difference: Interval, margin: float) -> bool:
    """Tell whether the interval is so wide that a model equal to the baseline would be refused."""
    return difference.low - difference.mean <= -margin
