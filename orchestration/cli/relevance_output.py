"""The output of measurements: the rankers side by side, how far the numbers can be trusted, and the gate's decision."""

from collections.abc import Mapping
from typing import Any

from orchestration.cli.output import show_fact, show_rows, show_title
from warehouse.wording import counted

_METRICS = ("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr")
_RANKERS = {"random": "random", "bm25": "bm25", "encoder": "encoder", "previous": "before", "model": "model"}
_NAMES = {"encoder": "the encoder", "bm25": "BM25", "previous": "the model before"}
_QUERIES = ("query has", "queries have")
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
    """Print the rankers' metrics side by side, with the model's lead over the encoder and its 95 % interval."""
    rankers = [ranker for ranker in _RANKERS if summary["rankers"].get(ranker)]
    lead = summary["model_minus_encoder"]
    leads = {metric: [interval_text(lead.get(metric))] if lead else [] for metric in _METRICS}
    rows = [
        [metric, *(_number(summary["rankers"][ranker][metric]) for ranker in rankers), *leads[metric]]
        for metric in _METRICS
    ]
    columns = [_RANKERS[ranker] for ranker in rankers]
    show_title(title)
    show_rows(["metric", *columns, *(["model − encoder"] if lead else [])], rows, numbers=columns)


def show_trust(leads: Mapping[str, Mapping[str, Interval]]) -> None:
    """Print how many queries can tell rankers apart, and how certain the model's lead over each baseline is."""
    counts = {metric: lead["queries"] for metric, lead in leads.get("encoder", {}).items()}
    if counts:
        exact, two_gains = (int(counts.get(metric) or 0) for metric in (_JUDGED_BY, _TWO_GAINS))
        show_fact(
            "trust",
            f"{counted(exact, *_QUERIES)} an Exact product (recall, mrr), {counted(two_gains, 'has', 'have')} two or more "
            "gains (in the others any order has the same ndcg)",
        )
    findings = [
        f"against {name} {_significance(leads[baseline][_JUDGED_BY])}"
        for baseline, name in _NAMES.items()
        if _JUDGED_BY in leads.get(baseline, {})
    ]
    if findings:
        show_fact("", f"{_JUDGED_BY} {'; '.join(findings)}")


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
