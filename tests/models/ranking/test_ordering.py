from dataclasses import replace

import numpy as np
import pytest

from models.ranking.ordering import DEFAULT, METHODS, Ordering


@pytest.mark.parametrize(
    ("ordering", "scores"),
    [
        (Ordering("vector"), [0.5, 0.9, 0.1, 0.3, 0.3, 0.2]),
        (Ordering("text"), [4, 2, 8, 0, 3, 0]),
        (
            Ordering("reciprocal_rank"),
            [1 / 61 + 1 / 62, 1 / 62 + 1 / 61, 1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 2 / 61, 2 / 61],
        ),
        (Ordering("weighted", 0.5), [0.5 + 0.5, 0.9 + 0.25, 0.1 + 1, 0.3, 0.3 + 0.5, 0.2]),
        (Ordering("weighted", 0.5, {"es": 2.0, "jp": 9.0}), [1, 1.15, 1.1, 0.3, 0.3 + 2, 0.2]),
    ],
)
def test_scores_are_those_of_the_method(candidates, ordering, scores):
    assert ordering(candidates) == pytest.approx(scores)


def test_the_learned_score_is_the_forests_and_a_weight_of_the_cosine(candidates, tree):
    scores = Ordering("learned", 2.0, {"es": 4.0}, tree)(candidates)
    assert scores == pytest.approx([10 + 1, -1 + 1.8, 10 + 0.2, -1 + 1.2, -1 + 1.2, -1 + 0.4])


def test_the_default_is_weighted_and_the_methods_go_from_simple_to_complex(candidates):
    assert METHODS == ("vector", "text", "reciprocal_rank", "weighted", "learned")
    assert np.array_equal(DEFAULT(candidates), Ordering("weighted", 0.5)(candidates))


@pytest.mark.parametrize("method", METHODS)
def test_cosines_of_an_unreadable_query_lift_no_pair_except_by_vector_alone(candidates, tree, method):
    ordering = Ordering(method, 2.0, forest=tree)
    unread = replace(candidates, readable=np.array([False, True, True]))
    flat = replace(candidates, cosines=np.array([0, 0, 0, 0.3, 0.3, 0.2]))
    expected = ordering(candidates if method == "vector" else flat)
    if method == "reciprocal_rank":
        expected = expected - np.array([1 / 61] * 3 + [0] * 3)
    assert ordering(unread) == pytest.approx(expected)
