from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models.errors import ModelError
from models.evaluation.bm25 import Bm25Settings
from models.evaluation.evaluate import evaluate
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import Bm25Ranker, DenseRanker, ListRanker, RandomRanker

PRODUCTS = pl.DataFrame(
    {
        "locale": ["es", "es", "us", "us", "us"],
        "product_id": ["A", "B", "A", "B", "C"],
        "text": ["vino tinto", "zapato", "red shoe", "red wine", "wine glass red"],
    }
)
CATALOG = Catalog(PRODUCTS)
JUDGED = JudgedSet.from_frame(
    pl.DataFrame(
        {
            "locale": ["es", "us", "us", "us", "us"],
            "query_id": [7, 1, 1, 2, 2],
            "query": ["vino", "red wine", "red wine", "shoe", "shoe"],
            "product_id": ["A", "B", "C", "A", "C"],
            "label": ["E", "E", "S", "E", "I"],
        }
    ),
    CATALOG,
)
TEXTS = [text.split() for text in PRODUCTS["text"]]
QUERIES = [query.split() for query in JUDGED.queries["query"]]


def random_vectors(rows: int, dim: int = 24) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, dim)).astype(np.float32)


RANKERS = {
    "dense": DenseRanker(random_vectors(3), random_vectors(5)),
    "bm25": Bm25Ranker.build(TEXTS, QUERIES, CATALOG, Bm25Settings()),
    "random": RandomRanker(seed=3),
}


def whole(ranker, judged, catalog, locale: str, step: int = 100) -> np.ndarray:
    return np.concatenate(list(ranker.catalog_scores(judged, catalog, locale, step)))


@pytest.mark.parametrize("name", RANKERS)
def test_a_judged_pair_scores_as_it_does_in_its_catalog(name):
    ranker = RANKERS[name]
    es, us = (whole(ranker, JUDGED, CATALOG, locale) for locale in ("es", "us"))
    assert (es.shape, us.shape) == ((1, 2), (2, 3))
    expected = [es[0, 0], us[0, 1], us[0, 2], us[1, 0], us[1, 2]]
    assert ranker.judged_scores(JUDGED, CATALOG) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", RANKERS)
def test_blocks_hold_no_more_queries_than_asked_for(name):
    blocks = list(RANKERS[name].catalog_scores(JUDGED, CATALOG, "us", 1))
    assert [block.shape for block in blocks] == [(1, 3), (1, 3)]
    assert np.concatenate(blocks) == pytest.approx(whole(RANKERS[name], JUDGED, CATALOG, "us"), rel=1e-5)


def test_dense_scores_are_dot_products():
    queries, products = random_vectors(3), random_vectors(5)
    expected = [[sum(map(float.__mul__, q.tolist(), p.tolist())) for p in products[2:]] for q in queries[1:]]
    assert whole(DenseRanker(queries, products), JUDGED, CATALOG, "us") == pytest.approx(np.array(expected), rel=1e-4)


def test_equal_vectors_score_alike_to_the_last_bit():
    size, vectors = 10_007, random_vectors(2, dim=384)
    rows = np.arange(size)
    catalog = Catalog(pl.DataFrame({"locale": "us", "product_id": [f"{row:05}" for row in rows]}))
    ids = catalog.products["product_id"].head(7)
    frame = pl.DataFrame({"locale": "us", "query_id": range(7), "query": "q", "product_id": ids, "label": "E"})
    judged = JudgedSet.from_frame(frame, catalog)
    ranker = DenseRanker(random_vectors(7, dim=384), vectors[rows % 2])
    for row in whole(ranker, judged, catalog, "us"):
        assert len(np.unique(row)) == 2
        assert len(np.unique(row[1::2])) == 1


def test_bm25_weighs_words_within_a_locale():
    alone = CATALOG.products.filter(pl.col("locale") == "us")
    ranker = Bm25Ranker.build(TEXTS[2:], QUERIES[1:], Catalog(alone), Bm25Settings())
    ours = RANKERS["bm25"].indexes["us"].scores([["red", "wine"]])
    assert np.array_equal(ours, ranker.indexes["us"].scores([["red", "wine"]]))


LISTED = ListRanker(
    # es vino: A and B; us red wine: A, B and C; us shoe: A and C
    offsets=np.array([0, 2, 5, 7]),
    products=np.array([0, 1, 2, 3, 4, 2, 4]),
    scores=np.array([0.2, 0.7, -1.0, 3.0, 2.0, 5.0, 6.0]),
    is_retrieved=np.array([True, True, False, True, True, True, False]),
)


def test_a_list_ranks_what_was_found_and_then_all_others_alike():
    assert whole(LISTED, JUDGED, CATALOG, "es").tolist() == [[0.2, 0.7]]
    # 2 below the lowest score of those found: 2 - 2, then 5 - 2.
    assert whole(LISTED, JUDGED, CATALOG, "us").tolist() == [[0, 3, 2], [5, 3, 3]]
    blocks = list(LISTED.catalog_scores(JUDGED, CATALOG, "us", 1))
    assert [block.tolist() for block in blocks] == [[[0, 3, 2]], [[5, 3, 3]]]


def test_products_beyond_the_list_follow_in_the_order_of_the_rest():
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8], [0, 1]], np.float32)
    ranker = replace(LISTED, rest=DenseRanker(np.array([[1, 0], [1, 0], [0.6, 0.8]], np.float32), vectors))
    # A for query 1: 2 - 2 + 1; B and C for query 2: 5 - 2 + 1, and 5 - 2 + 0.8.
    assert whole(ranker, JUDGED, CATALOG, "us") == pytest.approx(np.array([[1, 3, 2], [5, 4, 3.8]]))
    assert ranker.judged_scores(JUDGED, CATALOG) == pytest.approx([0.2, 3, 2, 5, 3.8])


def test_judged_products_that_no_search_found_come_last_by_their_score():
    # C of query 2 scores more than A, but was not found: 6 - (6 - 5) - 1
    assert LISTED.judged_scores(JUDGED, CATALOG).tolist() == [0.2, 3, 2, 5, 4]
    unfound = replace(LISTED, is_retrieved=np.array([True, False, True, False, False, False, False]))
    # Among A, B and C of query 1 only A (-1) was found: the others keep their order below it.
    assert unfound.judged_scores(JUDGED, CATALOG).tolist() == [0.2, 3 - 5, 2 - 5, 5 - 2, 6 - 2]


def test_a_list_gives_the_ranks_of_a_search():
    # Query 1 finds B and C, query 2 finds A alone: C comes after B, which was not found either and has the smaller id.
    evaluation = evaluate(JUDGED, CATALOG, {"ranked": LISTED})
    assert evaluation.rankings["ranked_rank"].to_list() == [1, 1, 2, 1, 2]
    assert evaluation.rankings["ranked_catalog_rank"].to_list() == [2, 1, 2, 1, 3]


def test_chance_hangs_on_seed_and_keys_and_on_nothing_else():
    one = whole(RandomRanker(1), JUDGED, CATALOG, "us")
    assert not np.isin(one, whole(RandomRanker(2), JUDGED, CATALOG, "us")).any()
    assert len(np.unique(one)) == one.size
    part = Catalog(PRODUCTS.filter(pl.col("product_id") != "B"))
    assert np.array_equal(whole(RandomRanker(1), JUDGED, part, "us"), one[:, [0, 2]])


def test_chance_is_even():
    size = 20_000
    catalog = Catalog(pl.DataFrame({"locale": "us", "product_id": [f"{row:05}" for row in range(size)]}))
    ids = ["00000", "00001"]
    frame = pl.DataFrame({"locale": "us", "query_id": [1, 2], "query": "q", "product_id": ids, "label": "E"})
    one, two = whole(RandomRanker(0), JudgedSet.from_frame(frame, catalog), catalog, "us")
    counts = np.histogram(one, bins=10, range=(0, 1))[0]
    assert counts.sum() == size
    assert counts == pytest.approx(np.full(10, size / 10), rel=0.1)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_vectors_that_are_no_numbers_are_refused(wrong, side):
    vectors = [random_vectors(3), random_vectors(5)]
    vectors[side][1, 1] = wrong
    with pytest.raises(ModelError, match="NaN or infinity"):
        DenseRanker(*vectors)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ModelError, match="differ in dimension"):
        DenseRanker(random_vectors(3, dim=8), random_vectors(5, dim=9))
    with pytest.raises(ModelError, match="4 query and 5 product vectors, but there are 3 queries and 5 products"):
        DenseRanker(random_vectors(4), random_vectors(5)).judged_scores(JUDGED, CATALOG)
    with pytest.raises(ModelError, match="1 texts but 5 products"):
        Bm25Ranker.build([["red"]], QUERIES, CATALOG, Bm25Settings())
