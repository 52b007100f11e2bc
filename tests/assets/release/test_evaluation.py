"""The stored metrics equal those that are computed here independently from the stored vectors."""

import json
import math
from dataclasses import replace

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.evaluation.evaluation_tables import summary
from assets.evaluation.offline_evaluation import previous_model
from assets.release.evaluation import evaluation
from models.encoder.loading import load_encoder
from models.towers.numpy_inference import QueryTower
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from warehouse.features import datasets
from warehouse.features.query_features import QueryFeatures
from warehouse.vectors.lance_tables import to_matrix

GAIN = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}


@pytest.fixture(scope="module")
def home(built):
    return open_home(load_settings(built.home))


@pytest.fixture(scope="module")
def expected(built, home):
    """Return the model's metrics by query, from stored vectors and plain loops."""
    release = home.releases.live()
    stored = home.vectors.read(release.vector_table, release.vector_version)
    vectors = dict(zip(stored["key"].to_pylist(), to_matrix(stored["vector"]).astype(np.float64), strict=True))
    encoder = load_encoder(load_settings(built.home).encoder, home.encoders)
    tower = QueryTower.load(home.models / release.model_id)
    features = QueryFeatures(datasets.vocabulary(home.lake, release.snapshot))
    with home.lake.reading() as connection:
        judged = connection.sql(
            "SELECT query_key, product_key, locale, query, label FROM training.pairs WHERE split = 'test' AND small_version"
        ).pl()
    measured = {}
    for (query_key,), own in judged.group_by("query_key"):
        locale, query = own["locale"][0], own["query"][0]
        given = pl.DataFrame({"key": ["q"], "locale": [locale], "query": [query]})
        vector = tower(encoder.encode([query]), features(given))[0].astype(np.float64)
        scores = {key: float(vector @ other) for key, other in vectors.items() if key.startswith(f"{locale}:")}
        best_first = sorted(scores, key=lambda key: (-scores[key], key))
        labels = dict(own.select("product_key", "label").iter_rows())
        listed = [GAIN[labels[key]] for key in best_first if key in labels]
        dcg, ideal = (
            sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))
            for gains in (listed, sorted(listed, reverse=True))
        )
        exact = [place for place, key in enumerate(best_first, start=1) if labels.get(key) == "E"]
        measured[query_key] = {
            "ndcg": dcg / ideal if ideal else 0.0,
            "recall_at_10": sum(place <= 10 for place in exact) / len(exact) if exact else None,
            "recall_at_100": sum(place <= 100 for place in exact) / len(exact) if exact else None,
            "reciprocal_rank": 1 / exact[0] if exact else None,
        }
    return measured


def test_every_query_of_the_model_is_measured_right(home, expected):
    with home.lake.reading() as connection:
        rows = connection.sql("SELECT * FROM evaluation.queries WHERE ranker = 'model'").pl()
    assert len(expected) > 3
    assert rows.height == len(expected)
    for row in rows.iter_rows(named=True):
        for metric, value in expected[f"{row['locale']}:{row['query_id']}"].items():
            assert row[metric] == pytest.approx(value, abs=1e-9), (row["query"], metric)


def test_the_means_are_those_of_the_queries(home, expected):
    with home.lake.reading() as connection:
        rows = connection.sql(
            "SELECT metric, value, queries FROM evaluation.metrics WHERE locale = 'all' AND slice = 'all' AND ranker = 'model'"
        )
        means = {metric: (value, queries) for metric, value, queries in rows.fetchall()}
    names = {"ndcg": "ndcg", "recall@10": "recall_at_10", "recall@100": "recall_at_100", "mrr": "reciprocal_rank"}
    for metric, name in names.items():
        values = [query[name] for query in expected.values() if query[name] is not None]
        assert means[metric] == (pytest.approx(sum(values) / len(values), abs=1e-9), len(expected))


def test_rankings_rank_every_judged_product_once_for_each_ranker(home):
    with home.lake.reading() as connection:
        rows = connection.sql("SELECT * FROM evaluation.rankings").pl()
    for _, own in rows.group_by("locale", "query_id"):
        for ranker in ("model", "encoder", "bm25", "random"):
            assert sorted(own[f"{ranker}_rank"]) == list(range(1, own.height + 1))
            in_order = own.sort(f"{ranker}_rank")[f"{ranker}_catalog_rank"]
            assert in_order.is_sorted()  # the judged list is the catalog's order with the others left out
            assert in_order.n_unique() == own.height
        assert own["previous_rank"].is_null().all()  # the home has one release
        assert own["previous_catalog_rank"].is_null().all()


def test_the_release_carries_what_was_measured(home):
    release = home.releases.live()
    measured = json.loads(json.dumps(summary(datasets.metrics(home.lake, release.model_id))))
    metrics = json.loads(release.metrics)
    gate = metrics.pop("gate")
    assert (gate["decision"], gate["model_id"]) == ("first", release.model_id)
    assert metrics == {"as_of": "2022-06-14T00:00:00+00:00", **measured}


def test_summary_reads_rows_back_as_evaluate_writes_them():
    columns = dict.fromkeys(("locale", "slice", "ranker", "metric"), pl.String) | {"value": pl.Float64}
    columns |= {"low": pl.Float64, "high": pl.Float64, "queries": pl.Int64}
    rows = [
        ("all", "all", "model", "ndcg", 0.9, None, None, 4),
        ("all", "all", "model_minus_encoder", "ndcg", 0.1, 0.05, 0.2, 4),
        ("all", "all", "model_minus_bm25", "ndcg", 0.1, 0.05, 0.2, 4),
        ("all", "brand", "model", "ndcg", 0.7, None, None, 2),
        ("all", "all", "ranked_minus_model", "ndcg", 0.2, 0.15, 0.3, 4),
        ("us", "all", "model", "ndcg", 0.8, None, None, 3),
        ("us", "all", "model_minus_encoder", "ndcg", 0.1, 0.05, 0.2, 4),
    ]
    assert summary(pl.DataFrame(rows, schema=columns, orient="row")) == {
        "rankers": {"model": {"ndcg": 0.9, "queries": 4}},
        "model_minus_encoder": {"ndcg": {"mean": 0.1, "low": 0.05, "high": 0.2, "queries": 4}},
        "ranked_minus_model": {"ndcg": {"mean": 0.2, "low": 0.15, "high": 0.3, "queries": 4}},
        "ranked_minus_bm25": {},
        "locales": {"us": {"model": {"ndcg": 0.8, "queries": 3}}},
    }
    leads = {key: {} for key in ("model_minus_encoder", "ranked_minus_model", "ranked_minus_bm25")}
    assert summary(pl.DataFrame(schema=columns)) == {"rankers": {}, "locales": {}, **leads}


def test_without_a_test_split_nothing_is_measured_and_the_tables_are_there(copy_home, monkeypatch):
    run_context = open_run_context(load_settings(copy_home()))
    with run_context.home.lake.writing() as connection:
        connection.execute("DELETE FROM evaluation.metrics")
    nothing = datasets.task1_judgements(run_context.home.lake).clear()
    monkeypatch.setattr("warehouse.features.datasets.task1_judgements", lambda _lake: nothing)
    for _ in range(2):
        ran = dg.materialize([evaluation], resources={"run_context": run_context})
        assert ran.success
        with run_context.home.lake.reading() as connection:
            for table in ("metrics", "queries", "rankings"):
                assert connection.sql(f"SELECT count(*) FROM evaluation.{table}").fetchone() == (0,)
    (event,) = ran.asset_materializations_for_node("evaluation")[:1]
    assert event.metadata["dagster/row_count"].value == 0


def test_the_bootstrap_is_seeded_by_the_settings(built, home):
    """The interval that the build stored is that of the seed in the home's settings, which `evaluate` uses too."""
    from orchestration.commands.evaluate.live import evaluate_live

    run_context = open_run_context(load_settings(built.home))
    stored = summary(datasets.metrics(home.lake, built.report["model"]))["model_minus_encoder"]
    assert evaluate_live(run_context)["model_minus_encoder"] == stored
    other = replace(run_context, training=run_context.training.model_copy(update={"seed": 4}))
    assert evaluate_live(other)["bootstrap"]["seed"] == 4


def test_slices_have_the_metrics_of_their_queries(home, expected):
    with home.lake.reading() as connection:
        rows = connection.sql("SELECT * FROM evaluation.metrics WHERE ranker = 'model' AND metric = 'mrr'").pl()
        by_brand = rows.filter(locale="all", slice="brand")
    assert set(rows["slice"]) == {"all", "brand", "length", "negation", "number"}
    for name in rows["slice"].unique():
        parts = rows.filter(locale="all", slice=name)
        assert parts["queries"].sum() == len(expected), name  # every query is in one part of each slice
    values = [query["reciprocal_rank"] for query in expected.values() if query["reciprocal_rank"] is not None]
    if by_brand.height == 1:
        assert by_brand["value"].item() == pytest.approx(sum(values) / len(values), abs=1e-9)


@pytest.fixture(scope="module")
def second(copy_home):
    """Return a home in which another model was built after the first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.setenv("STOCKROOM_TRAINING__SEED", "5")
        run_context = open_run_context(load_settings(copy_home()))
        from orchestration.commands.build import build

        yield run_context, build(run_context), build(run_context)


@pytest.mark.slow
def test_the_model_before_is_measured_beside_the_new_one(second, built):
    run_context, done, _ = second
    old = built.report["model"]
    assert done.model != old
    with run_context.home.lake.reading() as connection:
        ranks = connection.execute(
            "SELECT now.previous_rank, now.previous_catalog_rank, was.model_rank, was.model_catalog_rank "
            "FROM evaluation.rankings AS now JOIN evaluation.rankings AS was USING (locale, query_id, product_id) "
            "WHERE now.model_id = ? AND was.model_id = ?",
            [done.model, old],
        ).fetchall()
    assert len(ranks) > 10
    assert all((rank, place) == (old_rank, old_place) for rank, place, old_rank, old_place in ranks)
    metrics = datasets.metrics(run_context.home.lake, done.model)
    lead = metrics.filter(ranker="model_minus_previous", slice="all", locale="all", metric="mrr").to_dicts()[0]
    means = {one: summary(metrics)["rankers"][one]["mrr"] for one in ("model", "previous")}
    assert lead["value"] == pytest.approx(means["model"] - means["previous"], abs=1e-12)
    assert lead["low"] <= lead["value"] <= lead["high"]


def test_once_it_is_live_nothing_is_measured_again(second):
    _, done, again = second
    assert not again.changed
    assert again.relevance == done.relevance


def test_a_model_before_that_cannot_be_read_is_left_out(copy_home, built):
    run_context = open_run_context(load_settings(copy_home()))
    old = built.report["model"]
    assert previous_model(run_context, old) is None  # it is the first
    assert previous_model(run_context, "new") == old
    manifest = run_context.home.models / old / "model.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"format": ', '"format": 1'), encoding="utf-8")
    assert previous_model(run_context, "new") is None
    manifest.unlink()
    assert previous_model(run_context, "new") is None
