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
        "ranked_minus_model": {"recall@10": ENOUGH},
    }
    counts = {"queries": 77, "queries_with_exact": 77, "queries_with_two_gains": 0}
    leads = ("ranked_minus_model", "model_minus_encoder")
    one = {"queries": 7, **{key: {"recall@10": FEW} for key in leads}}
    show_folds(
        {**summary, **counts, "folds": 1, "by_fold": [one], "locales": {}, "locale_leads": {key: {} for key in leads}}
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if " − " in line and "intervals" in line] == [
        f"{words} on held-out queries, 95 % intervals" for words in ("search − model", "model − encoder")
    ]
    folds = [line for line in lines if line.startswith("fold 1 ")]
    wholes = [line for line in lines if line.startswith("all ")]
    assert len(folds) == len(wholes) == 2
    assert all("+0.0000 too few (7)" in line for line in folds)
    assert all("[-0.010, +0.250]" in line for line in wholes)
    assert any(line.startswith("trust        70 queries have an Exact product") for line in lines)
