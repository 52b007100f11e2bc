"""What people read of measurements: numbers where they say something, words where they do not."""

import pytest

from orchestration.cli import output, relevance_output

MEANS = dict.fromkeys(("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr"), 0.5)
FEW = {"mean": 0.0, "low": None, "high": None, "queries": 7}
ENOUGH = {"mean": 0.125, "low": -0.01, "high": 0.25, "queries": 70}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)


@pytest.mark.parametrize(("interval", "text"), [(FEW, "+0.0000 too few (7)"), (ENOUGH, "+0.1250 [-0.010, +0.250]")])
def test_a_lead_has_an_interval_or_too_few_queries(interval, text):
    assert relevance_output.interval_text(interval) == text
    assert relevance_output.interval_text(None) == "–"


def test_all_rankers_fit_side_by_side(capsys):
    rankers = dict.fromkeys(("random", "bm25", "encoder", "previous", "model", "text", "ranked"), MEANS)
    relevance_output.show_relevance({"rankers": rankers}, "relevance")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["metric", "random", "bm25", "encoder", "before", "model", "text", "ranked"]
    assert len(lines) == 3 + len(MEANS)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (FEW, "+0.0000, too few queries to judge (7)"),
        (ENOUGH, "no difference shown"),
        (ENOUGH | {"low": 0.01}, "better"),
        (ENOUGH | {"high": -0.005}, "worse"),
    ],
)
def test_trust_says_what_a_lead_shows(lead, said, capsys):
    model = {"recall@10": lead, "ndcg_two_gains": FEW}
    relevance_output.show_trust({"model_minus_encoder": model, "ranked_minus_model": {}})
    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith(
        f"trust {lead['queries']} queries have an Exact product (recall, mrr), 7 have two or more gains"
    )
    assert " recall@10: model against encoder " in line
    assert line.endswith(said)
    assert "search" not in line


def test_where_the_search_was_measured_its_leads_are_told(capsys):
    leads = ("ranked_minus_model", "ranked_minus_bm25", "model_minus_encoder")
    relevance_output.show_trust({key: {"recall@10": ENOUGH} for key in leads})
    line = " ".join(capsys.readouterr().out.split())
    assert "search against model" in line
    assert "search against BM25" in line
    assert "against encoder" not in line


@pytest.mark.parametrize("decision", ["refused", "undecided"])
def test_of_a_model_that_is_not_let_through_it_is_told_what_stays_and_what_publishes_it(decision, capsys):
    relevance_output.show_gate({"decision": decision, "reason": "7 are too few"})
    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith(f"gate {decision}: 7 are too few; the live model stays")
    assert "build --force" in line
