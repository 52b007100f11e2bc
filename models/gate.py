"""The gate: whether a new model may take the place of another, by what both find for the same queries."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from models.bootstrap import Interval, paired_bootstrap
from models.errors import ModelError
from models.evaluation import evaluate
from models.judgements import Catalogue, JudgedSet
from models.systems import System

Decision = Literal["passed", "refused", "forced", "first"]
PUBLISHED: tuple[Decision, ...] = ("passed", "forced", "first")
"""The decisions with which a model goes live."""

_CUT = 10


@dataclass(frozen=True)
class Comparison:
    """Hold recall@10 of a candidate and of a baseline over the queries that have an Exact product, and the difference.

    Without such a query there is none of the three.
    """

    queries: int
    candidate: float | None = None
    baseline: float | None = None
    difference: Interval | None = None


def compare_recall(
    judged: JudgedSet, catalogue: Catalogue, candidate: System, baseline: System, *, seed: int
) -> Comparison:
    """Search the whole catalogue with both systems and bootstrap the difference, candidate minus baseline, query by query."""
    rows = evaluate(judged, catalogue, {"candidate": candidate, "baseline": baseline}, ks=(_CUT,)).rows
    found, other = (
        rows.filter(pl.col("system") == name)[f"recall@{_CUT}"].drop_nulls().to_numpy()
        for name in ("candidate", "baseline")
    )
    if not len(found):
        return Comparison(0)
    return Comparison(
        queries=len(found),
        candidate=float(found.mean()),
        baseline=float(other.mean()),
        difference=paired_bootstrap(found, other, seed=seed),
    )


def decide(
    low: float | None, margin: float, *, is_first: bool = False, is_withdrawn: bool = False, force: bool = False
) -> Decision:
    """Decide by the lower end of the difference's interval: it must lie above minus the margin.

    The first model of all passes whatever it scores: without it there is nothing to search. Without a measurement
    nothing speaks for a model, and it is refused; so is one that people withdrew after it had been live.

    Raises:
        ModelError: The margin is negative: not even an equal model could pass.
    """
    if margin < 0:
        raise ModelError(f"a margin of {margin} refuses every model", "set it to 0 or more")
    if is_first:
        return "first"
    if low is not None and low > -margin and not is_withdrawn:
        return "passed"
    return "forced" if force else "refused"


def is_undecidable(difference: Interval, margin: float) -> bool:
    """Tell whether the interval is so wide that even a model as good as the baseline would be refused."""
    return difference.low - difference.mean <= -margin
