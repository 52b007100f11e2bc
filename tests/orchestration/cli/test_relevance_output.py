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
def test_a_lead_has_an_interval_or_too_few_queries(interval, text, capsys):
    summary = {"rankers": {"model": MEANS, "encoder": MEANS}, "model_minus_encoder": {"recall@10": interval}}
    relevance_output.show_relevance(summary, "relevance")
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("recall@10 ")]
    assert row.rstrip().endswith(f"0.5000  0.5000  {text}")
    assert relevance_output.interval_text(None) == "–"


def test_all_rankers_fit_side_by_side(capsys):
    rankers = dict.fromkeys(("random", "bm25", "encoder", "previous", "model"), MEANS)
    leads = dict.fromkeys(MEANS, ENOUGH)
    relevance_output.show_relevance({"rankers": rankers, "model_minus_encoder": leads}, "relevance")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["metric", "random", "bm25", "encoder", "before", "model", "model", "−", "encoder"]
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
    relevance_output.show_trust({"encoder": {"recall@10": lead, "ndcg_two_gains": FEW}, "bm25": {}})
    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith(
        f"trust {lead['queries']} queries have an Exact product (recall, mrr), 7 have two or more gains"
    )
    assert " recall@10 against the encoder " in line
    assert line.endswith(said)
    assert "BM25" not in line


@pytest.mark.parametrize("decision", ["refused", "undecided"])
def test_of_a_model_that_is_not_let_through_it_is_told_what_stays_and_what_publishes_it(decision, capsys):
    relevance_output.show_gate({"decision": decision, "reason": "7 are too few"})
    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith(f"gate {decision}: 7 are too few; the live model stays")
    assert "build --force" in line
