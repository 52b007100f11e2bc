"""What people read of folds."""

from orchestration.cli import output
from orchestration.cli.fold_output import show_folds

MEANS = dict.fromkeys(("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr"), 0.5)
FEW = {"mean": 0.0, "low": None, "high": None, "queries": 7}
ENOUGH = {"mean": 0.125, "low": -0.01, "high": 0.25, "queries": 70}


def test_a_fold_of_too_few_queries_shows_no_interval(monkeypatch, capsys):
    monkeypatch.setattr(output.console, "_width", 200)
    summary = {
        "rankers": {"model": MEANS, "encoder": MEANS},
        "model_minus_encoder": {"recall@10": ENOUGH},
    }
    counts = {"queries": 77, "queries_with_exact": 77, "queries_with_two_gains": 0}
    one = {"queries": 7, "model_minus_encoder": {"recall@10": FEW}}
    show_folds({**summary, **counts, "folds": 1, "by_fold": [one], "locales": {}, "locale_leads": {}})
    lines = capsys.readouterr().out.splitlines()
    fold, whole = (line for line in lines if line.startswith(("fold 1 ", "all ")))
    assert "+0.0000 too few (7)" in fold
    assert "[-0.010, +0.250]" in whole
    assert any(line.startswith("trust        70 queries have an Exact product") for line in lines)
