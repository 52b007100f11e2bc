"""Slices: the same metrics and differences for every locale and kind of query, in long form."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from models.evaluation.evaluate import Evaluation, compare, means

WHOLE = "all"
"""The locale, the slice and the part that all queries are in."""

SCHEMA = {
    **dict.fromkeys(("locale", "slice", "part", "ranker", "metric"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "queries": pl.Int64,
}
_BEHIND = ("low", "high", "queries")
_COUNTS = ("queries", "queries_with_exact")


def long_metrics(
    evaluation: Evaluation,
    target: str,
    baselines: Sequence[str],
    *,
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_queries: int = 1,
) -> pl.DataFrame:
    """Return every ranker's means, and how far the target lies before each baseline, by locale, slice and part.

    Args:
        evaluation: what was measured, and which slices its queries are in.
        target: the ranker whose differences are told, with their paired bootstrap interval, as
            ``{target}_minus_{baseline}``.
        baselines: what it is compared with; those that were not measured are left out.
        samples: resamples of the bootstrap.
        seed: of the bootstrap.
        level: of the bootstrap's interval, between 0 and 1.
        min_queries: queries from which on an interval is told.

    Returns:
        locale, slice, part, ranker, metric, value (null where no query has one), low and high (null but for a difference
        over enough queries) and the queries behind them.
    """
    measured = set(evaluation.rows["ranker"].unique())
    rows: list[dict[str, object]] = []
    for locale, name, part, own in _groups(evaluation):
        place: dict[str, object] = {"locale": locale, "slice": name, "part": part}
        for ranker, values in means(evaluation, own.rows).items():
            rows += [
                {**place, "ranker": ranker, "metric": metric, "value": value, "queries": values["queries"]}
                for metric, value in values.items()
                if metric not in _COUNTS
            ]
        for baseline in baselines:
            if {target, baseline} <= measured:
                told = {**place, "ranker": f"{target}_minus_{baseline}"}
                lead = compare(own, target, baseline, samples=samples, seed=seed, level=level, min_queries=min_queries)
                rows += [
                    {**told, "metric": metric, "value": one["mean"], **{name: one[name] for name in _BEHIND}}
                    for metric, one in lead.items()
                ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _groups(evaluation: Evaluation) -> Iterator[tuple[str, str, str, Evaluation]]:
    """Yield locale, slice and part of every group that has a query, and what was measured of it."""
    for locale in (WHOLE, *sorted(evaluation.products)):
        rows, slices = evaluation.rows, evaluation.slices
        if locale != WHOLE:
            rows, slices = (frame.filter(pl.col("locale") == locale) for frame in (rows, slices))
        yield locale, WHOLE, WHOLE, replace(evaluation, rows=rows)
        for name, part in slices.select("slice", "part").unique().sort("slice", "part").iter_rows():
            members = slices.filter(slice=name, part=part)
            own = rows.join(members, on=["locale", "query_id"], how="semi", maintain_order="left")
            yield locale, name, part, replace(evaluation, rows=own)
