"""The evaluation's report page: plots, and the queries that the model improved and harmed most, as one Markdown text."""

from typing import Any

import dagster as dg
import polars as pl

from assets.reporting import plots
from models.evaluation.breakdown import WHOLE
from warehouse.console.markdown_preview import markdown_table

_QUERIES = 10
_HEADS = ("locale", "query_id", "query", "nDCG encoder", "nDCG model", "first Exact encoder", "first Exact model")
_METRICS = ("ndcg", "ndcg_two_gains", "recall@10", "recall@100", "mrr")


def report(metrics: pl.DataFrame, queries: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Return the page.

    Args:
        metrics: Rows of evaluation.metrics of one model.
        queries: Columns locale, query_id, query, nDCG and first Exact rank of model and encoder; one row per test query.
    """
    bars = {"rankers": _means(metrics)}
    better, worse = most_changed(queries)
    parts = [
        "## Every ranker",
        plots.relevance_bars(bars).value,
        "### The model's lead, with its 95 % bootstrap interval over queries",
        _leads(metrics),
        "## By locale",
        plots.locale_bars(metrics).value,
        "## By kind of query",
        plots.slice_differences(metrics).value,
        "brand: seen, if the one in the query or one on its Exact products was in the train split; unseen, if they bear others; "
        "none, if they bear none. length: in words. negation, number: whether the query holds one.",
        "## Most improved over the encoder",
        "By nDCG, then by the rank of the first Exact product in the whole catalog.",
        _table(better),
        "## Most harmed",
        _table(worse),
    ]
    return dg.MarkdownMetadataValue("\n\n".join(part or "" for part in parts))


def most_changed(queries: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the queries that the model improved most and harmed most against its encoder, at most ten of each."""
    earlier = (1 / pl.col("model_first") - 1 / pl.col("encoder_first")).fill_null(0.0)
    changed = queries.with_columns(gained=pl.col("model_ndcg") - pl.col("encoder_ndcg"), earlier=earlier)
    order = ["gained", "earlier", "locale", "query_id"]
    better = changed.filter((pl.col("gained") > 0) | ((pl.col("gained") == 0) & (pl.col("earlier") > 0)))
    worse = changed.filter((pl.col("gained") < 0) | ((pl.col("gained") == 0) & (pl.col("earlier") < 0)))
    return (
        better.sort(order, descending=[True, True, False, False]).head(_QUERIES),
        worse.sort(order).head(_QUERIES),
    )


def _table(queries: pl.DataFrame) -> str:
    if queries.is_empty():
        return "none"
    preview = queries.select(
        "locale",
        "query_id",
        "query",
        *(pl.col(f"{ranker}_ndcg").round(3) for ranker in ("encoder", "model")),
        *(f"{ranker}_first" for ranker in ("encoder", "model")),
    )
    return markdown_table(_HEADS, preview.iter_rows())


def _means(metrics: pl.DataFrame) -> dict[str, dict[str, Any]]:
    whole = metrics.filter(pl.col("ranker").is_in(plots.RANKERS), locale=WHOLE, slice=WHOLE)
    means: dict[str, dict[str, Any]] = {}
    for row in whole.iter_rows(named=True):
        means.setdefault(row["ranker"], {"queries": row["queries"]})[row["metric"]] = row["value"]
    return means


def _leads(metrics: pl.DataFrame) -> str:
    differences = metrics.filter(pl.col("ranker").str.starts_with("model_minus_"), slice=WHOLE)
    cells = {(row["locale"], row["ranker"], row["metric"]): row for row in differences.iter_rows(named=True)}
    groups = differences.select("locale", "ranker").unique().sort("locale", "ranker").rows()
    rows = [
        (locale, ranker.removeprefix("model_minus_"), *(_lead(cells.get((locale, ranker, name))) for name in _METRICS))
        for locale, ranker in groups
    ]
    return markdown_table(("locale", "over", *_METRICS), rows)


def _lead(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if row["low"] is None:
        return f"{row['value']:+.4f}, too few queries ({row['queries']:,}) to judge"
    return f"{row['value']:+.4f} [{row['low']:+.3f}, {row['high']:+.3f}]"
