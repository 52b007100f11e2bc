"""The output of `stockroom evaluate --folds`: by fold, by locale, and for all held-out queries pooled."""

from typing import Any

from orchestration.cli.output import console, show_rows, show_title
from orchestration.cli.relevance_output import interval_text, show_relevance, show_trust

_METRICS = ("recall@10", "ndcg_two_gains", "mrr")
_LEADS = {"ranked_minus_model": "search − model", "model_minus_encoder": "model − encoder"}


def show_folds(report: dict[str, Any]) -> None:
    """Print the report of `evaluate_folds`."""
    for name, words in _LEADS.items():
        rows = [
            [f"fold {fold}", *_cells(one["queries"], one[name])] for fold, one in enumerate(report["by_fold"], start=1)
        ]
        for locale, lead in report["locale_leads"][name].items():
            rows.append([f"all, {locale}", *_cells(report["locales"][locale]["model"]["queries"], lead)])
        rows.append(["all", *_cells(report["queries"], report[name])])
        show_title(f"{words} on held-out queries, 95 % intervals")
        show_rows(["held out", "queries", *_METRICS], rows, numbers=["queries"])
    console.print()
    show_relevance(report, f"{report['folds']} folds pooled, every query held out once")
    show_trust(report)
    console.print("All metrics are in evaluation.folds.", highlight=False)


def _cells(queries: int, lead: dict[str, dict[str, float | None]]) -> list[str]:
    return [f"{queries:,}", *(interval_text(lead.get(metric)) for metric in _METRICS)]
