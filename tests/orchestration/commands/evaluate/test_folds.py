"""Each query is held out once and does not reach the model that it evaluates; the home does not change."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from orchestration.commands.build import build
from orchestration.commands.evaluate import folds as evaluate_folds
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError

FOLDS = 2


@dataclass(frozen=True)
class Folded:
    """A home after its folds were measured, and what each fold's scratch lake held when its model was trained."""

    run_context: Any
    report: dict[str, Any]
    tables_of_folds: list[dict[str, pl.DataFrame]]
    before: dict[str, Any]


def _state(run_context) -> dict[str, Any]:
    with run_context.home.lake.reading() as connection:
        metrics = connection.sql("SELECT * FROM evaluation.metrics ORDER BY key").pl()
        splits = connection.sql("SELECT key, split FROM staging.queries ORDER BY key").pl()
    return {
        "models": sorted(path.name for path in run_context.home.models.iterdir()),
        "release": run_context.home.releases.live(),
        "metrics": metrics.rows(),
        "splits": splits.rows(),
    }


@pytest.fixture(scope="module")
def folded(copy_home):
    run_context = open_run_context(load_settings(copy_home()))
    before, tables_of_folds, train = _state(run_context), [], evaluate_folds.train_model

    def watched(scratch, model_id, snapshot):
        with scratch.home.lake.reading() as connection:
            tables = ("splits.queries", "training.pairs", "fitted.vocabulary", "staging.products", "features.queries")
            tables_of_folds.append({table: connection.sql(f"FROM {table}").pl() for table in tables})
        train(scratch, model_id, snapshot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.setattr(evaluate_folds, "train_model", watched)
        report = evaluate_folds.evaluate_folds(run_context, FOLDS)
    return Folded(run_context, report, tables_of_folds, before)


def test_every_query_is_held_out_once(folded):
    held_out = [
        one["training.pairs"].filter(split="test")["query_key"].unique().sort() for one in folded.tables_of_folds
    ]
    assert all(len(keys) > 1 for keys in held_out)
    judged = {key for one in folded.tables_of_folds for key in one["training.pairs"]["query_key"]}
    together = pl.concat(held_out)
    assert together.n_unique() == len(together) == len(judged) == folded.report["queries"]
    assert [one["queries"] for one in folded.report["by_fold"]] == [len(keys) for keys in held_out]


def test_a_fold_is_trained_and_fitted_on_the_others_alone(folded):
    for one in folded.tables_of_folds:
        queries, pairs = one["splits.queries"], one["training.pairs"]
        texts = {
            split: set(own.select("locale", pl.col("query").str.to_lowercase()).iter_rows())
            for (split,), own in queries.group_by("split")
        }
        assert set(texts) == {"train", "validation", "test"}
        assert not texts["test"] & (texts["train"] | texts["validation"])
        assert not texts["validation"] & texts["train"]
        trained = pairs.filter(split="train")["product_key"].unique()
        brands = one["staging.products"].filter(pl.col("key").is_in(trained.implode()))["brand_key"].drop_nulls()
        assert set(one["fitted.vocabulary"].filter(kind="brand")["value"]) == set(brands)
    named = [set(one["fitted.vocabulary"]["value"]) for one in folded.tables_of_folds]
    assert named[0] != named[1]


def test_sql_reads_the_measurements(folded):
    with folded.run_context.home.lake.reading() as connection:
        rows = connection.sql("SELECT * FROM evaluation.folds ORDER BY key").pl()
    assert sorted(rows["fold"].unique()) == [0, 1, 2]
    assert set(rows["folds"]) == {FOLDS}
    lead = rows.filter(fold=0, locale="all", ranker="model_minus_encoder", metric="recall@10").to_dicts()[0]
    measured_lead = folded.report["model_minus_encoder"]["recall@10"]
    assert (lead["value"], lead["low"], lead["high"]) == (
        measured_lead["mean"],
        measured_lead["low"],
        measured_lead["high"],
    )
    us = rows.filter(fold=0, locale="us", ranker="model_minus_encoder", metric="mrr").to_dicts()[0]
    assert us["value"] == folded.report["locale_leads"]["model_minus_encoder"]["us"]["mrr"]["mean"]
    values = rows.filter(locale="all", ranker="model", metric="ndcg").sort("fold")
    whole, *parts = values["value"]
    weights = values["queries"][1:]
    assert whole == pytest.approx(sum(value * n for value, n in zip(parts, weights, strict=True)) / sum(weights))


def test_the_home_stays_as_it_was_and_a_build_finds_nothing_new(folded, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    home = folded.run_context.home
    assert _state(folded.run_context) == folded.before
    assert not (home.root / "recompute").exists()
    done = build(folded.run_context)
    assert not done.changed
    assert home.releases.live() == folded.before["release"]


@pytest.mark.slow
def test_the_same_again_writes_nothing(folded):
    snapshot = folded.run_context.home.lake.snapshot()
    again = evaluate_folds.evaluate_folds(folded.run_context, FOLDS)
    assert again == folded.report
    assert folded.run_context.home.lake.snapshot() == snapshot


def test_without_a_build_there_is_nothing_to_divide(tmp_path):
    with pytest.raises(WarehouseError):
        evaluate_folds.evaluate_folds(open_run_context(load_settings(tmp_path / "home")), FOLDS)
