"""The output of measurements: the rankers side by side, how far the numbers can be trusted, and the gate's decision."""

from collections.abc import Mapping
from typing import Any

from orchestration.cli.output import show_fact, show_rows, show_title
from warehouse.wording import counted

_METRICS = ("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr")
_RANKERS = {
    "random": "random",
    "bm25": "bm25",
    "encoder": "encoder",
    "previous": "before",
    "model": "model",
    "text": "text",
    "ranked": "ranked",
}
_LEADS = {
    "ranked_minus_model": "search against model",
    "ranked_minus_bm25": "search against BM25",
    "model_minus_encoder": "model against encoder",
}
_QUERIES = ("query has", "queries have")
_SHOWN_LEADS = 2  # a build ends on one screen
_JUDGED_BY, _TWO_GAINS = "recall@10", "ndcg_two_gains"

Interval = Mapping[str, float | None]
"""A difference: mean, low, high (None for too few queries) and queries."""


def show_gate(gate: Mapping[str, Any]) -> None:
    """Print the gate's decision on a new model, its reason and the user's option."""
    hints = {
        **dict.fromkeys(
            ("refused", "undecided"),
            "; the live model stays (stockroom build --force publishes the new one all the same)",
        ),
        "forced": "; published all the same, by --force",
    }
    style = None if gate["decision"] in ("passed", "first") else "yellow"
    show_fact("gate", f"{gate['decision']}: {gate['reason']}{hints.get(gate['decision'], '')}", style)


def show_relevance(summary: Mapping[str, Any], title: str) -> None:
    """Print the rankers' metrics side by side."""
    rankers = [ranker for ranker in _RANKERS if summary["rankers"].get(ranker)]
    rows = [[metric, *(_number(summary["rankers"][ranker][metric]) for ranker in rankers)] for metric in _METRICS]
    columns = [_RANKERS[ranker] for ranker in rankers]
    show_title(title)
    show_rows(["metric", *columns], rows, numbers=columns)


def show_trust(summary: Mapping[str, Any]) -> None:
    """Print how many queries can tell rankers apart, and how certain the two first leads that were measured are."""
    lead = summary.get("model_minus_encoder") or {}
    counts = {metric: each["queries"] for metric, each in lead.items()}
    if counts:
        exact, two_gains = (int(counts.get(metric) or 0) for metric in (_JUDGED_BY, _TWO_GAINS))
        show_fact(
            "trust",
            f"{counted(exact, *_QUERIES)} an Exact product (recall, mrr), {counted(two_gains, 'has', 'have')} two or more "
            "gains (in the others any order has the same ndcg)",
        )
    measured = [name for name in _LEADS if _JUDGED_BY in (summary.get(name) or {})]
    for name in measured[:_SHOWN_LEADS]:
        show_fact("", f"{_JUDGED_BY}: {_LEADS[name]} {_significance(summary[name][_JUDGED_BY])}")


def interval_text(interval: Interval | None) -> str:
    """Return a difference with its 95 % interval, or with the number of queries if they are too few for one."""
    if interval is None or interval["mean"] is None:
        return "–"
    if interval["low"] is None:
        return f"{interval['mean']:+.4f} too few ({interval['queries']:,})"
    return f"{interval['mean']:+.4f} [{interval['low']:+.3f}, {interval['high']:+.3f}]"


def _significance(lead: Interval) -> str:
    low, high = lead["low"], lead["high"]
    if low is None or high is None:
        return f"{lead['mean'] or 0:+.4f}, too few queries to judge ({lead['queries']:,})"
    return f"{interval_text(lead)}, {'better' if low > 0 else 'worse' if high < 0 else 'no difference shown'}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
