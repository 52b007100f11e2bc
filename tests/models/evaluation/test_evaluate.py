import json
from dataclasses import dataclass

import ir_measures
import numpy as np
import polars as pl
import pytest
from ir_measures import RR, R, nDCG

from models.errors import ModelError
from models.evaluation.evaluate import catalog_ranks, compare, evaluate, summarize
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker, RandomRanker
from models.labels import LABELS


def catalog_of(**sizes: int) -> Catalog:
    rows = [(locale, f"P{row:04}") for locale, size in sorted(sizes.items()) for row in range(size)]
    return Catalog(pl.DataFrame(rows, schema=["locale", "product_id"], orient="row"))


def judged_of(catalog: Catalog, lists: dict[tuple[str, int], dict[int, str]]) -> JudgedSet:
    """Each query's judgements as product number to label."""
    rows = [
        (locale, query, f"query {query}", f"P{product:04}", label)
        for (locale, query), labels in lists.items()
        for product, label in labels.items()
    ]
    schema = ["locale", "query_id", "query", "product_id", "label"]
    return JudgedSet.from_frame(pl.DataFrame(rows, schema=schema, orient="row"), catalog)


@dataclass(frozen=True)
class Fixed:
    """Scores written by hand: locale to (queries, products)."""

    scores: dict[str, list[list[float]]]

    def judged_scores(self, judged, catalog):
        return np.array(
            [
                self.scores[locale][q - judged.slices[locale].start][product - catalog.slices[locale].start]
                for q, locale in enumerate(judged.queries["locale"])
                for product in judged.products[judged.offsets[q] : judged.offsets[q + 1]]
            ]
        )

    def catalog_scores(self, judged, catalog, locale, step):
        scores = np.array(self.scores[locale], dtype=np.float64)
        return (scores[start : start + step] for start in range(0, len(scores), step))


def test_one_hot_vectors_give_the_ranks_worked_out_by_hand():
    # Products look along axes 0, 1, 1, 2, 2, 2; a query's vector is thus the score of each axis.
    catalog = catalog_of(us=6)
    judged = judged_of(catalog, {("us", 1): {2: "E", 3: "S", 5: "I"}, ("us", 2): {0: "E", 1: "E"}})
    queries = np.array([[0.5, 0.1, 0.9], [0.5, 0.9, 0.1]], dtype=np.float32)
    evaluation = evaluate(
        judged, catalog, {"encoder": DenseRanker(queries, np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 2, 2]])}
    )
    # Query 1 ranks the catalog 3 4 5 0 1 2, so its Exact product 2 is last; its judged list is 3 5 2.
    # Query 2 ranks it 1 2 0 3 4 5; its judged list is 1 0.
    assert evaluation.rankings.drop("locale").rows() == [
        (1, "P0002", "E", 3, 6),
        (1, "P0003", "S", 1, 1),
        (1, "P0005", "I", 2, 3),
        (2, "P0000", "E", 2, 3),
        (2, "P0001", "E", 1, 1),
    ]
    first, second = evaluation.rows.to_dicts()
    ideal = 1 + 0.1 / np.log2(3)
    assert first["ndcg"] == pytest.approx((0.1 + 1 / 2) / ideal)
    assert first["ndcg_official"] == pytest.approx((0.01 + 1 / 2) / (1 + 0.01 / np.log2(3)))
    assert (first["recall@10"], first["reciprocal_rank"]) == (1, pytest.approx(1 / 6))
    assert (first["n_judged"], first["n_gains"], first["n_exact"]) == (3, 3, 1)
    assert (second["ndcg"], second["reciprocal_rank"], second["n_gains"], second["n_exact"]) == (1, 1, 1, 2)


def test_each_query_is_searched_in_its_own_locale_alone():
    catalog = catalog_of(es=2, us=3)
    judged = judged_of(catalog, {("es", 1): {1: "E"}, ("us", 2): {1: "E"}})
    # Whatever is searched outside the locale would stand above.
    ranker = Fixed({"es": [[0.1, 0.2]], "us": [[0.9, 0.3, 0.3]]})
    assert catalog_ranks(ranker, judged, catalog).tolist() == [1, 2]
    vectors = np.array([[9], [1], [9], [3], [3]], dtype=np.float32)
    dense = DenseRanker(np.ones((2, 1), dtype=np.float32), vectors)
    assert catalog_ranks(dense, judged, catalog).tolist() == [2, 2]


def test_ties_go_to_the_smaller_product_id():
    catalog = catalog_of(us=5)
    judged = judged_of(catalog, {("us", 1): {1: "E", 3: "E", 4: "I"}})
    evaluation = evaluate(judged, catalog, {"flat": Fixed({"us": [[1, 1, 1, 1, 1]]})})
    assert evaluation.rankings["flat_rank"].to_list() == [1, 2, 3]
    assert evaluation.rankings["flat_catalog_rank"].to_list() == [2, 4, 5]


def esci_like(queries: int, seed: int) -> tuple[Catalog, JudgedSet]:
    """Lists of 20 mixed like ESCI's harder queries, fewer than half Exact, with shares that differ between queries."""
    random = np.random.default_rng(seed)
    catalog = catalog_of(es=300, us=300)
    shares = random.dirichlet(3 * np.array([0.44, 0.34, 0.05, 0.17]), size=queries)
    lists = {
        (("es", "us")[query % 2], query): dict(
            zip(
                random.permutation(300)[:20].tolist(),
                random.choice(LABELS[::-1], size=20, p=shares[query]),
                strict=True,
            )
        )
        for query in range(queries)
    }
    return catalog, judged_of(catalog, lists)


def test_random_order_scores_about_seven_tenths_on_lists_like_escis():
    catalog, judged = esci_like(400, seed=0)
    rankers = {f"random {seed}": RandomRanker(seed) for seed in (1, 2)}
    summary = summarize(evaluate(judged, catalog, rankers))["rankers"]
    for ranker in summary.values():
        assert 0.65 < ranker["ndcg"] < 0.78
        assert ranker["recall@10"] == pytest.approx(10 / 300, abs=0.01)
        assert ranker["recall@100"] == pytest.approx(100 / 300, abs=0.03)


def test_a_perfect_ranker_scores_one():
    catalog, judged = esci_like(40, seed=1)
    grade = np.zeros((len(judged), len(catalog)))
    grade[np.repeat(np.arange(len(judged)), np.diff(judged.offsets)), judged.products] = judged.labels + 1
    scores = {locale: grade[judged.slices[locale], part].tolist() for locale, part in catalog.slices.items()}
    rows = evaluate(judged, catalog, {"perfect": Fixed(scores)}, ks=(20,)).rows
    assert set(rows.filter(pl.col("n_exact") > 0)["ndcg"].round(12)) == {1.0}
    assert set(rows["recall@20"].drop_nulls()) == set(rows["reciprocal_rank"].drop_nulls()) == {1.0}


def test_an_evaluation_agrees_with_ir_measures():
    catalog, judged = esci_like(30, seed=2)
    random = np.random.default_rng(2)
    tables = {locale: random.integers(0, 40, size=(15, 300)).tolist() for locale in ("es", "us")}  # full of ties
    evaluation = evaluate(judged, catalog, {"x": Fixed(tables)})
    run, reranked, qrels = [], [], []
    for locale, query, product, label in evaluation.rankings.select("locale", "query_id", "product_id", "label").rows():
        qrels.append(ir_measures.Qrel(f"{query}", product, {"E": 100, "S": 10, "C": 1, "I": 0}[label]))
        scores = tables[locale][query // 2]
        # trec_eval breaks ties by descending id: settle them beforehand, by Python's sort.
        place = sorted(range(300), key=lambda row, scores=scores: (-scores[row], row)).index(int(product[1:]))
        reranked.append(ir_measures.ScoredDoc(f"{query}", product, -place))
    for locale, table in tables.items():
        for q, scores in enumerate(table):
            query = 2 * q + (locale == "us")
            ordered = sorted(range(300), key=lambda row, scores=scores: (-scores[row], row))
            run += [ir_measures.ScoredDoc(f"{query}", f"P{row:04}", -place) for place, row in enumerate(ordered)]
    ours = summarize(evaluation)["rankers"]["x"]
    share = ours["queries_with_exact"] / ours["queries"]  # they count a 0 where we leave a query out
    assert ir_measures.calc_aggregate([nDCG], qrels, reranked)[nDCG] == pytest.approx(ours["ndcg"])
    theirs = ir_measures.calc_aggregate([R(rel=100) @ 10, R(rel=100) @ 100, RR(rel=100)], qrels, run)
    assert theirs[R(rel=100) @ 10] == pytest.approx(share * ours["recall@10"])
    assert theirs[R(rel=100) @ 100] == pytest.approx(share * ours["recall@100"])
    assert theirs[RR(rel=100)] == pytest.approx(share * ours["mrr"])


def test_blocks_of_any_size_give_the_same_ranks():
    catalog, judged = esci_like(50, seed=3)
    random = np.random.default_rng(3)
    products = random.normal(size=(600, 32)).astype(np.float32)[random.integers(0, 100, 600)]  # six of each
    dense = DenseRanker(random.normal(size=(50, 32)).astype(np.float32), products)
    for ranker in (dense, RandomRanker(0)):
        whole = catalog_ranks(ranker, judged, catalog)
        for score_bytes in (1, 8 * 300 * 7):
            assert np.array_equal(catalog_ranks(ranker, judged, catalog, score_bytes=score_bytes), whole)


CATALOG = catalog_of(es=2, us=20)
JUDGED = judged_of(
    CATALOG,
    {("us", 1): {0: "E", 1: "I"}, ("us", 2): {5: "S", 6: "S"}, ("us", 3): {15: "E", 16: "C"}, ("es", 4): {0: "I"}},
)
UPWARDS, DOWNWARDS = ([[sign * row for row in range(20)]] * 3 for sign in (1, -1))
SUMMARY = {"model": Fixed({"us": DOWNWARDS, "es": [[2, 1]]}), "encoder": Fixed({"us": UPWARDS, "es": [[1, 2]]})}


def test_a_summary_gives_the_public_format():
    summary = summarize(evaluate(JUDGED, CATALOG, SUMMARY), samples=200, seed=1)
    assert json.loads(json.dumps(summary)) == summary
    half = 1 / np.log2(3)
    # The model meets product 0 first and 15 at place 16, the encoder 0 last and 15 at place 5. Queries 2 and 4 have no
    # Exact product: they leave recall and mrr. Query 4 is all Irrelevant: it scores 0 and stays in ndcg.
    reversed_3 = (1 * half + 0.01) / (1 + 0.01 * half)
    assert summary["rankers"] == {
        "model": {
            "ndcg": pytest.approx(3 / 4),
            "ndcg_official": pytest.approx(3 / 4),
            "ndcg_two_gains": pytest.approx(1),
            "recall@10": 0.5,
            "recall@100": 1.0,
            "mrr": pytest.approx((1 + 1 / 16) / 2),
            "queries": 4,
            "queries_with_exact": 2,
        },
        "encoder": {
            "ndcg": pytest.approx((half + 1 + reversed_3) / 4),
            "ndcg_official": pytest.approx((half + 1 + (half + 0.1) / (1 + 0.1 * half)) / 4),
            "ndcg_two_gains": pytest.approx((half + reversed_3) / 2),
            "recall@10": 0.5,
            "recall@100": 1.0,
            "mrr": pytest.approx((1 / 20 + 1 / 5) / 2),
            "queries": 4,
            "queries_with_exact": 2,
        },
    }
    metrics = ["ndcg", "ndcg_official", "ndcg_two_gains", "recall@10", "recall@100", "mrr"]
    assert list(summary["model_minus_encoder"]) == metrics
    gain = summary["model_minus_encoder"]["mrr"]
    assert gain["mean"] == pytest.approx(((1 - 1 / 20) + (1 / 16 - 1 / 5)) / 2)
    assert gain["low"] == pytest.approx(1 / 16 - 1 / 5)
    assert gain["high"] == pytest.approx(1 - 1 / 20)
    assert summary["model_minus_encoder"]["recall@10"] == {"mean": 0.0, "low": -1.0, "high": 1.0, "queries": 2}
    counts = {"queries": 4, "queries_with_exact": 2, "queries_with_two_gains": 2, "judgements": 7}
    assert {name: summary[name] for name in counts} == counts
    assert summary["products"] == {"es": 2, "us": 20}
    assert summary["bootstrap"] == {"samples": 200, "seed": 1, "level": 0.95, "min_queries": 1}


def test_over_too_few_queries_a_difference_has_no_interval():
    """recall and mrr say something of two queries, nDCG of four."""
    lead = summarize(evaluate(JUDGED, CATALOG, SUMMARY), samples=10, min_queries=3)["model_minus_encoder"]
    assert {metric: (one["low"] is None, one["high"] is None, one["queries"]) for metric, one in lead.items()} == {
        **dict.fromkeys(("ndcg", "ndcg_official"), (False, False, 4)),
        **dict.fromkeys(("ndcg_two_gains", "recall@10", "recall@100", "mrr"), (True, True, 2)),
    }
    assert lead["recall@10"]["mean"] == 0.0


def test_a_summary_is_by_locale_and_null_without_values():
    locales = summarize(evaluate(JUDGED, CATALOG, SUMMARY), samples=10)["locales"]
    assert locales["us"]["model"]["ndcg"] == pytest.approx(1)
    unmeasured = dict.fromkeys(["ndcg_two_gains", "recall@10", "recall@100", "mrr"])
    counts = {"queries": 1, "queries_with_exact": 0}
    assert locales["es"]["model"] == {"ndcg": 0, "ndcg_official": 0} | unmeasured | counts


def test_a_summary_without_model_or_encoder_compares_nothing():
    evaluation = evaluate(JUDGED, CATALOG, {"random": RandomRanker(0)})
    assert summarize(evaluation)["model_minus_encoder"] == {}
    with pytest.raises(ModelError, match="'model' and 'random' were not both measured"):
        compare(evaluation, "model", "random")


def test_a_metric_without_a_value_is_not_compared():
    judged = judged_of(CATALOG, {("es", 4): {0: "S"}})
    rankers = {"model": RandomRanker(0), "encoder": RandomRanker(1)}
    assert set(summarize(evaluate(judged, CATALOG, rankers))["model_minus_encoder"]) == {"ndcg", "ndcg_official"}


def test_scores_that_are_no_numbers_are_refused():
    broken = [[float("nan")] * 20] * 3
    with pytest.raises(
        ModelError,
        match=r"ranker 'broken' returned scores of shape \(\d+,\) for \d+ judged products, or NaN or infinity",
    ):
        evaluate(JUDGED, CATALOG, {"broken": Fixed({"us": broken, "es": [[1, 2]]})})
    with pytest.raises(
        ModelError, match=r"ranker 'Fixed' gave the score NaN to product .* for query .* of locale 'us'"
    ):
        catalog_ranks(Fixed({"us": broken, "es": [[1, 2]]}), JUDGED, CATALOG)
    with pytest.raises(ModelError, match="no ranker"):
        evaluate(JUDGED, CATALOG, {})
