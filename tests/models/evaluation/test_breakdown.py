"""Long-form metrics: every group's means are those of its own queries, and its intervals those of its own differences."""

import polars as pl
import pytest

from models.errors import ModelError
from models.evaluation.bootstrap import paired_bootstrap
from models.evaluation.breakdown import long_metrics
from models.evaluation.evaluate import Evaluation, summarize
from models.evaluation.pooling import pool

QUERIES = [("us", 1), ("us", 2), ("us", 3), ("es", 4)]
MODEL, ENCODER = [1.0, 0.5, 0.0, 1.0], [0.0, 0.5, 0.5, 0.5]
PARTS = ["seen", "unseen", "seen", "seen"]


def evaluation(queries=range(4)):
    rows = [
        {
            "ranker": ranker,
            "locale": QUERIES[query][0],
            "query_id": QUERIES[query][1],
            "ndcg": values[query],
            "recall@10": values[query] if query != 2 else None,
            "reciprocal_rank": values[query],
            "n_judged": 2,
            "n_gains": 2,
            "n_exact": int(query != 2),
        }
        for ranker, values in (("model", MODEL), ("encoder", ENCODER))
        for query in queries
    ]
    places = [QUERIES[query] for query in queries]
    slices = pl.DataFrame(
        [(*QUERIES[query], "brand", PARTS[query]) for query in queries],
        schema=["locale", "query_id", "slice", "part"],
        orient="row",
    )
    rankings = pl.DataFrame(
        [(*place, "P", "E") for place in places], schema=["locale", "query_id", "product_id", "label"], orient="row"
    )
    return Evaluation(pl.DataFrame(rows), rankings, {locale: 9 for locale, _ in places}, slices)


def value(metrics, locale, name, part, ranker, metric="ndcg"):
    own = metrics.filter(locale=locale, slice=name, part=part, ranker=ranker, metric=metric)
    assert own.height == 1
    return own.to_dicts()[0]


def test_every_group_has_the_means_of_its_own_queries():
    metrics = long_metrics(evaluation(), {"model": ("encoder",)}, samples=50)
    expected = {
        ("all", "all", "all"): (2.5 / 4, 4),
        ("us", "all", "all"): (0.5, 3),
        ("es", "all", "all"): (1.0, 1),
        ("all", "brand", "seen"): (2 / 3, 3),
        ("us", "brand", "seen"): (0.5, 2),
        ("us", "brand", "unseen"): (0.5, 1),
        ("all", "brand", "unseen"): (0.5, 1),
        ("es", "brand", "seen"): (1.0, 1),
    }
    groups = set(metrics.select("locale", "slice", "part").iter_rows())
    assert groups == set(expected)  # es has no unseen brand: no row says 0 of it
    for place, (mean, queries) in expected.items():
        one = value(metrics, *place, "model")
        assert (one["value"], one["queries"], one["low"]) == (pytest.approx(mean), queries, None)
    assert value(metrics, "us", "brand", "seen", "model", "recall@10")["value"] == 1.0  # one of its two has no Exact


def test_a_difference_has_the_interval_of_its_own_queries():
    metrics = long_metrics(evaluation(), {"model": ("encoder", "bm25"), "ranked": ("model",)}, samples=300, seed=4)
    lead = value(metrics, "us", "all", "all", "model_minus_encoder")
    interval = paired_bootstrap(MODEL[:3], ENCODER[:3], samples=300, seed=4)
    assert (lead["value"], lead["low"], lead["high"]) == (interval.mean, interval.low, interval.high)
    assert set(metrics["ranker"]) == {"model", "encoder", "model_minus_encoder"}  # BM25 and ranked were not measured


def test_a_slice_of_too_few_queries_has_a_difference_and_no_interval():
    metrics = long_metrics(evaluation(), {"model": ("encoder",)}, samples=50, min_queries=3)
    whole = value(metrics, "us", "all", "all", "model_minus_encoder")
    part = value(metrics, "us", "brand", "seen", "model_minus_encoder")
    assert (whole["queries"], whole["low"] is None) == (3, False)
    assert (part["queries"], part["low"], part["high"]) == (2, None, None)
    assert part["value"] is not None


def test_pooled_folds_are_the_whole():
    whole, parts = evaluation(), [evaluation([1, 3]), evaluation([0, 2])]
    pooled = pool(parts)
    assert summarize(pooled, samples=50) == summarize(evaluation([3, 0, 1, 2]), samples=50)
    assert summarize(pooled)["rankers"] == summarize(whole)["rankers"]
    assert pooled.slices.height == whole.slices.height


def test_a_query_held_out_twice_is_refused():
    with pytest.raises(ModelError, match="in two folds"):
        pool([evaluation([0, 1]), evaluation([1])])
    with pytest.raises(ModelError, match="no evaluation"):
        pool([])
