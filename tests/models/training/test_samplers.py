import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.labels import LABEL_CODES
from models.training.dataset import TrainingData
from models.training.samplers import Judgements, contrastive_batches, count_batches, graded_batches

# query, product, label; queries 0 to 2 are us, 3 and 4 es; products 0 to 5 are us, 6 to 8 es
PAIRS = [
    *[(0, 0, "E"), (0, 1, "E"), (0, 2, "S"), (0, 3, "C"), (0, 4, "I")],
    *[(1, 0, "E"), (1, 2, "E")],
    *[(2, 5, "I")],
    *[(3, 6, "E"), (3, 7, "I")],
    *[(4, 8, "E")],
]
QUERY_LOCALE = np.array(["us"] * 3 + ["es"] * 2)
PRODUCT_LOCALE = np.array(["us"] * 6 + ["es"] * 3)


def training_data(pairs=PAIRS, part="train", **changes):
    query, product, label = zip(*pairs, strict=True) if pairs else ((), (), ())
    values = {
        "query_vectors": np.eye(5, 9, dtype=np.float32),
        "product_vectors": np.eye(9, dtype=np.float32),
        "query_features": pl.DataFrame(),
        "product_features": pl.DataFrame(),
        "query_locale": QUERY_LOCALE,
        "product_locale": PRODUCT_LOCALE,
        "query_index": np.array(query, dtype=np.int64),
        "product_index": np.array(product, dtype=np.int64),
        "label": np.array([LABEL_CODES[name] for name in label], dtype=np.int8),
        "split": np.array([part] * len(pairs)),
    }
    return TrainingData(**{**values, **changes})


def batches(batch_pairs=100, irrelevant=0, catalog=0, seed=0, pairs=PAIRS):
    judgements = Judgements(training_data(pairs), "train")
    return list(contrastive_batches(judgements, batch_pairs, irrelevant, catalog, np.random.default_rng(seed)))


def positives(contrastive):
    return sorted(
        (int(query), int(product))
        for batch in contrastive
        for query, product in zip(batch.queries, batch.candidates[batch.target], strict=True)
    )


EXACT = [(0, 0), (0, 1), (1, 0), (1, 2), (3, 6), (4, 8)]


@pytest.mark.parametrize("batch_pairs", [1, 2, 3, 100])
def test_every_exact_pair_comes_once(batch_pairs):
    drawn = batches(batch_pairs, irrelevant=1, catalog=2)
    assert positives(drawn) == EXACT
    assert max(len(batch.queries) for batch in drawn) <= batch_pairs


@pytest.mark.parametrize("batch_pairs", [1, 2, 3, 100])
def test_batches_are_counted_without_making_them(batch_pairs):
    assert count_batches(Judgements(training_data(), "train"), batch_pairs) == len(batches(batch_pairs))
    assert count_batches(Judgements(training_data([]), "train"), batch_pairs) == 0


def test_everything_random_is_drawn_before_the_first_batch_is_made():
    rng = np.random.default_rng(0)
    batch_iterator = contrastive_batches(Judgements(training_data(), "train"), 2, 1, 2, rng)
    drawn = rng.bit_generator.state
    assert len(list(batch_iterator)) == 3
    assert rng.bit_generator.state == drawn


def test_a_batch_holds_one_locale_and_no_candidate_twice():
    for batch in batches(irrelevant=2, catalog=4):
        assert len({*QUERY_LOCALE[batch.queries], *PRODUCT_LOCALE[batch.candidates]}) == 1
        assert len(set(batch.candidates.tolist())) == len(batch.candidates)


def test_known_relevant_products_are_masked_and_only_they():
    batch = next(b for b in batches(irrelevant=1, catalog=100) if 0 in b.queries)
    assert batch.candidates.tolist() == [0, 1, 2, 3, 4, 5]
    masked = {
        (int(query), int(own)): set(batch.candidates[row].tolist())
        for query, own, row in zip(batch.queries, batch.candidates[batch.target], batch.masked, strict=True)
    }
    # 2 is a Substitute and 3 a Complement of query 0; 4, which is Irrelevant, and 5, not judged, stay negatives
    assert masked == {(0, 0): {1, 2, 3}, (0, 1): {0, 2, 3}, (1, 0): {2}, (1, 2): {0}}


def test_irrelevant_products_join_their_querys_batch():
    without, with_them = ({int(c) for b in batches(irrelevant=n) for c in b.candidates} for n in (0, 1))
    assert with_them - without == {4, 7}


def test_at_most_so_many_irrelevant_products_are_drawn_for_a_pair():
    pairs = [(0, 0, "E"), *[(0, product, "I") for product in range(1, 6)]]
    for count in (0, 1, 3, 9):
        (batch,) = batches(irrelevant=count, pairs=pairs)
        assert len(batch.candidates) == 1 + min(count, 5)


def test_mined_negatives_join_their_querys_batch_and_are_masked_for_whom_they_are_relevant():
    mined = {"mined_query": np.array([4, 1, 1, 1]), "mined_product": np.array([6, 5, 4, 3])}
    judgements = Judgements(training_data(**mined), "train")
    for count, expected in ((1, 1), (2, 2), (9, 3)):
        batch_list = list(contrastive_batches(judgements, 100, 0, 0, np.random.default_rng(0), count))
        us, es = (next(b for b in batch_list if query in b.queries) for query in (1, 4))
        assert es.candidates.tolist() == [6, 8]
        drawn = set(us.candidates.tolist()) - {0, 1, 2}
        assert drawn <= {3, 4, 5}
        assert len(drawn) >= expected  # a draw for each of the query's two pairs
        for row, query in enumerate(us.queries.tolist()):
            masked = set(us.candidates[us.masked[row]].tolist())
            assert (3 in masked) == (query == 0 and 3 in drawn)  # a Complement of query 0
            assert not masked & {4, 5}
    assert [b.candidates.tolist() for b in batches()] == [
        b.candidates.tolist() for b in contrastive_batches(judgements, 100, 0, 0, np.random.default_rng(0))
    ]


def test_the_same_seed_draws_the_same_batches_and_another_does_not():
    pairs = [(0, product, "E") for product in range(6)]
    orders = [[b.candidates[b.target].tolist() for b in batches(3, seed=seed, pairs=pairs)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_lists_hold_all_grades_of_queries_with_an_order_to_learn():
    judgements = Judgements(training_data(), "train")
    lists = [batch for batch in graded_batches(judgements, 3, np.random.default_rng(0)) if batch]
    rows = {
        int(query): (batch.products[row][batch.judged[row]].tolist(), batch.gains[row][batch.judged[row]].tolist())
        for batch in lists
        for row, query in enumerate(batch.queries)
    }
    assert rows.keys() == {0, 3}
    assert rows[0] == ([0, 1, 2, 3, 4], pytest.approx([1, 1, 0.1, 0.01, 0]))
    assert rows[3] == ([6, 7], [1, 0])


def test_graded_batches_fill_up_with_none():
    judgements = Judgements(training_data(), "train")
    drawn = list(graded_batches(judgements, 5, np.random.default_rng(0)))
    assert (len(drawn), drawn.count(None)) == (5, 3)


def test_another_split_is_not_read():
    judgements = Judgements(training_data(part="validation"), "train")
    assert list(contrastive_batches(judgements, 4, 1, 1, np.random.default_rng(0))) == []
    assert list(judgements.graded()) == []


@given(st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 5)), st.sampled_from("ESCI"), max_size=20))
def test_masks_agree_with_a_plain_loop(labels):
    judgements = Judgements(
        training_data([(*pair, label) for pair, label in labels.items()], query_locale=np.array(["us"] * 5)), "train"
    )
    for batch in contrastive_batches(judgements, 4, 2, 3, np.random.default_rng(0)):
        for row, query in enumerate(batch.queries.tolist()):
            for column, product in enumerate(batch.candidates.tolist()):
                is_masked = labels.get((query, product)) in ("E", "S", "C") and column != batch.target[row]
                assert batch.masked[row, column] == is_masked


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"query_vectors": np.zeros((5, 8), dtype=np.float32)}, "same width"),
        ({"query_locale": QUERY_LOCALE[:4]}, "every query has a vector"),
        ({"product_features": pl.DataFrame({"brand": ["a"]})}, "every product has features"),
        ({"product_index": np.full(len(PAIRS), 9)}, "an existing product"),
        ({"label": np.full(len(PAIRS), 4, dtype=np.int8)}, "codes 0 to 3"),
        ({"split": np.array(["train"])}, "every pair has"),
        ({"mined_query": np.array([0])}, "mined negative"),
        ({"mined_query": np.array([0]), "mined_product": np.array([9])}, "mined negative"),
        ({"mined_query": np.array([5]), "mined_product": np.array([0])}, "mined negative"),
    ],
)
def test_training_data_that_does_not_fit_together_is_refused(changes, rule):
    with pytest.raises(ModelError, match=rule):
        training_data(**changes)


def test_a_product_and_a_query_in_several_rows_stay_one():
    """Row 3 is product 0 and row 2 query 1 (row 1) at another time."""
    pairs = [(0, 0, "E"), (1, 1, "E"), (2, 3, "E"), (1, 2, "I")]
    data = training_data(
        pairs,
        query_vectors=np.eye(3, 9, dtype=np.float32),
        product_vectors=np.eye(4, 9, dtype=np.float32),
        query_locale=np.array(["us"] * 3),
        product_locale=np.array(["us"] * 4),
        query_group=np.array([0, 1, 1]),
        product_row=np.array([0, 1, 2, 0]),
    )
    judgements = Judgements(data, "train")
    assert {name: rows.tolist() for name, rows in judgements.catalog.items()} == {"us": [0, 1, 2]}
    [batch] = contrastive_batches(judgements, 10, 1, 0, np.random.default_rng(0))
    champions = {
        (int(query), int(product))
        for row, query in enumerate(batch.queries)
        for column, product in enumerate(batch.candidates)
        if column != batch.target[row] and not batch.masked[row, column]
    }
    # Query 0 knows product 0 in both of its rows; query 1 knows products 0 and 1 in whichever row it asks.
    assert champions == {(0, 1), (0, 2), (1, 2), (2, 2)}


@pytest.mark.parametrize(
    "changes",
    [
        {"query_group": np.array([0, 1, 0, 2, 3])},
        {"query_group": np.array([0, 1])},
        {"product_row": np.array([1, 2, 2, 3, 4, 5, 6, 7, 8])},
        {"product_row": np.array([0, 1, 2, 3, 4, 5, 6, 7, 99])},
    ],
)
def test_groups_that_do_not_fit_are_refused(changes):
    with pytest.raises(ModelError):
        training_data(**changes)
