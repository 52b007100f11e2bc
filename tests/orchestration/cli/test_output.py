"""What people read of measurements: numbers where they say something, words where they do not."""

import io

import pytest
from rich.console import Console

from orchestration.cli import fold_output, output

MEANS = dict.fromkeys(("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr"), 0.5)
FEW = {"mean": 0.0, "low": None, "high": None, "queries": 7}
ENOUGH = {"mean": 0.125, "low": -0.01, "high": 0.25, "queries": 70}


def printed(what):
    page = Console(file=io.StringIO(), width=200)
    page.print(what)
    return page.file.getvalue()


@pytest.mark.parametrize(
    ("interval", "interval_text", "hidden"), [(FEW, "too few queries", "["), (ENOUGH, "[-0.010, +0.250]", "too few")]
)
def test_a_lead_has_an_interval_or_too_few_queries_to_judge(interval, interval_text, hidden):
    summary = {"rankers": {"model": MEANS, "encoder": MEANS}, "model_minus_encoder": {"recall@10": interval}}
    table = printed(output.relevance_table(summary, "relevance"))
    assert interval_text in table
    assert f"{interval['mean']:+.4f}" in table
    assert hidden not in table
    assert interval is ENOUGH or "(7) to judge" in table


def test_a_fold_of_too_few_queries_shows_no_interval(monkeypatch):
    page = Console(file=io.StringIO(), width=200)
    monkeypatch.setattr(fold_output, "console", page)
    summary = {"rankers": {"model": MEANS, "encoder": MEANS}, "model_minus_encoder": {"recall@10": ENOUGH}}
    counts = {"queries": 77, "queries_with_exact": 77, "queries_with_two_gains": 0}
    one = {"queries": 7, "model_minus_encoder": {"recall@10": FEW}}
    report = {**summary, **counts, "folds": 1, "by_fold": [one], "locales": {}, "locale_leads": {}}
    fold_output.show_folds(report)
    fold, whole = (line for line in page.file.getvalue().splitlines() if "fold 1" in line or "│ all " in line)
    assert "too few (7) to judge" in fold
    assert "[-0.010, +0.250]" in whole


@pytest.mark.parametrize("decision", ["refused", "undecided"])
def test_a_refused_model_is_reported_with_the_way_to_publish_it(decision):
    line = output.gate_line({"decision": decision, "reason": "7 are too few"}).plain
    assert line.startswith(f"gate         {decision}: 7 are too few; the live model stays")
    assert "build --force" in line
