"""The gate compares two rankers, and passes one whose loss is significantly smaller than the margin."""

import numpy as np
import polars as pl
import pytest

from models.errors import ModelError
from models.evaluation.bootstrap import Interval
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.promotion_gate import PUBLISHED, compare_recall, decide, is_undecidable
from models.evaluation.rankers import DenseRanker

PRODUCTS = 30


@pytest.fixture
def catalog():
    return Catalog(pl.DataFrame({"locale": "us", "product_id": [f"P{place:02}" for place in range(PRODUCTS)]}))


def judged(catalog, exact):
    """Return one query per named product, its only Exact product; query 9 has none."""
    rows = [("us", query, f"query {query}", product, "E") for query, product in enumerate(exact)]
    rows.append(("us", 9, "query 9", "P00", "I"))
    columns = ["locale", "query_id", "query", "product_id", "label"]
    return JudgedSet.from_frame(pl.DataFrame(rows, schema=columns, orient="row"), catalog)


def finds(queries, places):
    """Return a ranker that ranks the given product first for each query, and all others by product id."""
    vectors = np.zeros((queries, PRODUCTS), np.float32)
    vectors[range(len(places)), places] = 1
    return DenseRanker(vectors, np.eye(PRODUCTS, dtype=np.float32))


def test_recall_is_that_of_the_whole_catalog_over_the_queries_that_have_an_exact_product(catalog):
    judged_set = judged(catalog, ["P20", "P21", "P22", "P23"])
    comparison = compare_recall(judged_set, catalog, finds(5, [20, 21, 22, 1]), finds(5, [20, 1, 1, 1]), seed=0)
    assert (comparison.queries, comparison.challenger, comparison.baseline) == (4, 0.75, 0.25)
    assert comparison.difference.mean == 0.5
    assert comparison.difference.low < 0.5 < comparison.difference.high


def test_a_ranker_compared_with_itself_passes_with_any_margin(catalog):
    judged_set = judged(catalog, ["P20", "P21"])
    comparison = compare_recall(judged_set, catalog, finds(3, [20, 1]), finds(3, [20, 1]), seed=0)
    assert comparison.difference == Interval(0.0, 0.0, 0.0)
    assert decide(comparison.difference.low, 0.01) == "passed"


def test_without_an_exact_product_nothing_is_measured_and_nothing_decided(catalog):
    comparison = compare_recall(judged(catalog, []), catalog, finds(1, []), finds(1, []), seed=0)
    assert (comparison.queries, comparison.difference) == (0, None)
    assert decide(None, 1.0) == "undecided"


def test_with_too_few_queries_the_difference_has_no_interval(catalog):
    """An interval of two queries that both models answer alike would claim certainty, so none is computed."""
    judged_set = judged(catalog, ["P20", "P21"])
    comparison = compare_recall(judged_set, catalog, finds(3, [20, 1]), finds(3, [20, 1]), seed=0, min_queries=3)
    assert (comparison.queries, comparison.challenger, comparison.baseline) == (2, 0.5, 0.5)
    assert comparison.difference is None
    enough = compare_recall(judged_set, catalog, finds(3, [20, 1]), finds(3, [20, 1]), seed=0, min_queries=2)
    assert enough.difference is not None


@pytest.mark.parametrize(
    ("low", "margin", "is_first", "force", "decision"),
    [
        (-0.009, 0.01, False, False, "passed"),
        (-0.01, 0.01, False, False, "refused"),
        (0.0, 0.0, False, False, "refused"),
        (0.001, 0.0, False, False, "passed"),
        (-0.2, 0.01, False, True, "forced"),
        (0.2, 0.01, False, True, "passed"),
        (None, 0.01, False, False, "undecided"),
        (None, 0.01, False, True, "forced"),
        (-0.2, 0.01, True, False, "first"),
        (None, 0.01, True, True, "first"),
    ],
)
def test_the_lower_end_must_lie_above_minus_the_margin(low, margin, is_first, force, decision):
    assert decide(low, margin, is_first=is_first, force=force) == decision
    assert (decision in PUBLISHED) == (decision not in ("refused", "undecided"))


def test_a_margin_below_zero_is_refused():
    with pytest.raises(ModelError, match="margin"):
        decide(0.5, -0.01)


def test_an_interval_as_wide_as_the_margin_says_nothing_of_an_equal_model():
    assert is_undecidable(Interval(-0.02, -0.04, 0.01), 0.01)
    assert not is_undecidable(Interval(-0.02, -0.025, -0.015), 0.01)


def test_a_model_that_people_withdrew_comes_back_by_force_alone():
    assert decide(0.5, 0.01, is_demoted=True) == "refused"
    assert decide(None, 0.01, is_demoted=True) == "refused"
    assert decide(0.5, 0.01, is_demoted=True, force=True) == "forced"
