"""The output of `stockroom evaluate --folds`: by fold, by locale, and for all held-out queries pooled."""

from typing import Any

from rich.table import Table

from orchestration.cli.output import console, relevance_table

_METRICS = ("recall@10", "ndcg_two_gains", "mrr")


def show_folds(report: dict[str, Any]) -> None:
    """Print the report of `evaluate_folds`."""
    table = Table(title="model − encoder on held-out queries, 95 % intervals", title_justify="left")
    for name in ("held out", "queries", *_METRICS):
        table.add_column(name, justify="left" if name == "held out" else "right")
    for fold, one in enumerate(report["by_fold"], start=1):
        table.add_row(f"fold {fold}", *_cells(one["queries"], one["model_minus_encoder"]))
    table.add_section()
    for locale, lead in report["locale_leads"].items():
        table.add_row(f"all, {locale}", *_cells(report["locales"][locale]["model"]["queries"], lead))
    table.add_row("all", *_cells(report["queries"], report["model_minus_encoder"]))
    console.print(table)
    console.print(relevance_table(report, f"{report['folds']} folds pooled, every query held out once"))
    console.print(
        f"{report['queries']:,} queries, {report['queries_with_exact']:,} with an Exact product (recall, mrr), "
        f"{report['queries_with_two_gains']:,} with at least two distinct gains (ndcg_two_gains). Kept in evaluation.folds.",
        highlight=False,
    )


def _cells(queries: int, lead: dict[str, dict[str, float | None]]) -> list[str]:
    return [f"{queries:,}", *(_interval(lead.get(metric)) for metric in _METRICS)]


def _interval(one: dict[str, float | None] | None) -> str:
    if one is None:
        return "–"
    if one["low"] is None:
        return f"{one['mean']:+.4f} too few ({one['queries']:,}) to judge"
    return f"{one['mean']:+.4f} \\[{one['low']:+.3f}, {one['high']:+.3f}]"
