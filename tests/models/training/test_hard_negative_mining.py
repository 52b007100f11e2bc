"""Hard negatives are near, never judged relevant, never too near, and the same for any size of the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import LABEL_CODES
from models.training import hard_negative_mining
from models.training.hard_negative_mining import JudgedRows, MiningSettings, mine


def judged(*rows: tuple[int, int, str]) -> JudgedRows:
    query, product, label = zip(*rows, strict=True) if rows else ((), (), ())
    return JudgedRows(
        np.array(query, np.int64), np.array(product, np.int64), np.array([LABEL_CODES[one] for one in label], np.int8)
    )


def at_cosine(*cosines: float) -> np.ndarray:
    """Return vectors whose cosine with (1, 0) is as given."""
    return np.array([[c, np.sqrt(1 - c * c)] for c in cosines], np.float32)


QUERY = at_cosine(1.0)
PRODUCTS = at_cosine(0.9, 0.8, 0.88, 0.7, 0.84, 0.1)  # by cosine: 0, 2, 4, 1, 3, 5


def mined(rows: JudgedRows, products: np.ndarray = PRODUCTS, **settings: float) -> hard_negative_mining.Mined:
    return mine(QUERY, [products], rows, MiningSettings.model_validate({"per_query": 9, **settings}))


def test_what_is_judged_relevant_or_lies_within_the_margin_is_no_negative() -> None:
    result = mined(judged((0, 0, "E"), (0, 1, "S"), (0, 3, "C"), (0, 5, "I")), positive_share=0.95)
    assert result.product.tolist() == [4, 5]  # 2 is above 0.95 × 0.9; 1 and 3 are relevant
    assert result.rank.tolist() == [3, 6]
    assert result.score.tolist() == pytest.approx([0.84, 0.1], abs=1e-6)
    assert (result.positive.tolist(), result.positive_score.tolist()) == ([0, 0], pytest.approx([0.9, 0.9]))
    assert result.irrelevant.tolist() == [False, True]
    assert (result.looked_at, result.relevant, result.skipped, result.too_close) == (6, 3, 0, 1)


def test_the_margin_is_measured_from_the_best_exact_product() -> None:
    result = mined(judged((0, 3, "E"), (0, 0, "E"), (0, 1, "E")), positive_share=0.95)
    assert result.product.tolist() == [4, 5]
    assert set(result.positive.tolist()) == {0}


def test_the_nearest_ranks_can_be_left_out_and_the_number_limited() -> None:
    rows = judged((0, 3, "E"))
    assert mined(rows, positive_share=1).product.tolist() == [5]
    assert mined(judged((0, 0, "E")), positive_share=1, skip=2).product.tolist() == [4, 1, 3, 5]
    assert mined(judged((0, 0, "E")), positive_share=1, per_query=2).product.tolist() == [2, 4]
    assert mined(judged((0, 0, "E")), positive_share=1, depth=3).product.tolist() == [2, 4]


def test_a_query_without_an_exact_product_has_no_negatives() -> None:
    assert mined(judged((0, 0, "S"))).product.tolist() == []
    assert mine(QUERY, [], judged(), MiningSettings(per_query=3)).product.tolist() == []


def test_the_margin_holds_for_negative_cosines_too() -> None:
    result = mined(judged((0, 0, "E")), at_cosine(-0.5, -0.51, -0.6), positive_share=0.9)
    assert result.product.tolist() == [2]


def test_equal_scores_come_by_row() -> None:
    result = mined(judged((0, 3, "E")), at_cosine(0.5, 0.5, 0.5, 0.9, 0.5), per_query=2, depth=3)
    assert result.product.tolist() == [0, 1]


@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 40),
    depth=st.integers(1, 45),
    skip=st.integers(0, 3),
    share=st.sampled_from([0.5, 0.9, 1.0]),
)
def test_blocks_of_any_size_give_what_a_plain_loop_gives(
    seed: int, cut: int, depth: int, skip: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    products = rng.standard_normal((40, 16)).astype(np.float32)
    products[rng.integers(0, 40, 12)] = products[0]  # products with one text
    queries = rng.standard_normal((6, 16)).astype(np.float32)
    products, queries = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (products, queries))
    labels = {(int(rng.integers(6)), int(rng.integers(40))): str(rng.choice(list("ESCI"))) for _ in range(30)}
    settings = MiningSettings(per_query=4, depth=depth, skip=skip, positive_share=share)
    blocks = [products[start : start + cut] for start in range(0, 40, cut)]
    result = mine(queries, blocks, judged(*((q, p, label) for (q, p), label in labels.items())), settings)
    expected = []
    for query in range(6):
        score = [round(float(queries[query].astype(np.float64) @ product), 6) for product in products]
        exact = [score[p] for (q, p), label in labels.items() if q == query and label == "E"]
        nearest = sorted(range(40), key=lambda product: (-score[product], product))[:depth]
        ranked = [(rank, product) for rank, product in enumerate(nearest, start=1) if rank > skip]
        bound = max(exact) - (1 - share) * abs(max(exact)) if exact else -2
        eligible = [
            (query, product, rank)
            for rank, product in ranked
            if labels.get((query, product), "I") == "I" and score[product] <= bound
        ]
        expected += eligible[:4]
    assert list(zip(result.query, result.product, result.rank, strict=True)) == expected


def test_few_scores_at_once_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    products, queries = (rng.standard_normal((n, 8)).astype(np.float32) for n in (50, 20))
    rows = judged(*((query, query, "E") for query in range(20)))
    settings = MiningSettings(per_query=5, depth=20)
    whole = mine(queries, [products], rows, settings)
    monkeypatch.setattr(hard_negative_mining, "SCORES", 64)
    monkeypatch.setattr(hard_negative_mining, "_PAIRS", 3)
    cut = mine(queries, [products[:30], products[30:]], rows, settings)
    assert (whole.product.tolist(), whole.score.tolist()) == (cut.product.tolist(), cut.score.tolist())
    assert len(whole.product) > 0
