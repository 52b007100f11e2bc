"""Slices: the same metrics and differences for every locale and kind of query, in long form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from models.evaluation.evaluate import Evaluation, compare, means

WHOLE = "all"
"""The locale, the slice and the part that contain all queries."""

SCHEMA = {
    **dict.fromkeys(("locale", "slice", "part", "ranker", "metric"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "queries": pl.Int64,
}
_INTERVAL = ("low", "high", "queries")
_COUNTS = ("queries", "queries_with_exact")


def long_metrics(
    evaluation: Evaluation,
    leads: Mapping[str, Sequence[str]],
    *,
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_queries: int = 1,
) -> pl.DataFrame:
    """Return every ranker's means, and the leads of some rankers over others, by locale, slice and part.

    Args:
        evaluation: the measurements and slices of the queries.
        leads: by ranker, those to compare it with: the differences are reported with their paired bootstrap interval, as
            ``{ranker}_minus_{baseline}``. Rankers that were not measured are left out.
        samples: resamples of the bootstrap.
        seed: seed of the bootstrap.
        level: confidence level of the interval, between 0 and 1.
        min_queries: fewest queries for which an interval is reported.

    Returns:
        Columns locale, slice, part, ranker, metric, value (null if no query has one), low and high (null except for a
        difference over enough queries) and queries, their number.
    """
    rankers = set(evaluation.rows["ranker"].unique())
    rows: list[dict[str, object]] = []
    for locale, name, part, group_evaluation in _groups(evaluation):
        group: dict[str, object] = {"locale": locale, "slice": name, "part": part}
        for ranker, values in means(evaluation, group_evaluation.rows).items():
            rows += [
                {**group, "ranker": ranker, "metric": metric, "value": value, "queries": values["queries"]}
                for metric, value in values.items()
                if metric not in _COUNTS
            ]
        for target, baseline in [(each, other) for each, others in leads.items() for other in others]:
            if {target, baseline} <= rankers:
                difference = {**group, "ranker": f"{target}_minus_{baseline}"}
                metrics = compare(
                    group_evaluation, target, baseline, samples=samples, seed=seed, level=level, min_queries=min_queries
                )
                rows += [
                    {**difference, "metric": metric, "value": one["mean"], **{name: one[name] for name in _INTERVAL}}
                    for metric, one in metrics.items()
                ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _groups(evaluation: Evaluation) -> Iterator[tuple[str, str, str, Evaluation]]:
    """Yield locale, slice and part of every group with a query, and the group's evaluation."""
    for locale in (WHOLE, *sorted(evaluation.products)):
        rows, slices = evaluation.rows, evaluation.slices
        if locale != WHOLE:
            rows, slices = (frame.filter(pl.col("locale") == locale) for frame in (rows, slices))
        yield locale, WHOLE, WHOLE, replace(evaluation, rows=rows)
        for name, part in slices.select("slice", "part").unique().sort("slice", "part").iter_rows():
            members = slices.filter(slice=name, part=part)
            group_rows = rows.join(members, on=["locale", "query_id"], how="semi", maintain_order="left")
            yield locale, name, part, replace(evaluation, rows=group_rows)
