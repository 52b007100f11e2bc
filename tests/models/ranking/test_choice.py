"""The choice of an ordering: by recall@10, and the simpler one where the difference may be chance."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.ranking.candidates import Candidates
from models.ranking.choice import Choice, choose, quality
from models.ranking.forest import Forest
from models.ranking.ordering import DEFAULT, METHODS, Method, Ordering

PRODUCTS = 11  # of a query: the first is Exact, and one that scores less than all others is not among the first ten

# Cosine and text score of the Exact product, and those of the ten others.
BY_VECTOR = ((0.9, 0.0), (0.5, 1.0))
BY_TEXT = ((0.5, 1.0), (1.1, 0.0))
BY_BOTH = ((0.9, 1.0), (0.5, 0.5))
BY_NONE = ((0.1, 0.0), (0.5, 1.0))
Kind = tuple[tuple[float, float], tuple[float, float]]


def searched(kinds: Sequence[Kind], locales: Sequence[str] | None = None) -> Candidates:
    """Return the candidates of one query of each kind."""
    values = np.array([[exact] + [other] * (PRODUCTS - 1) for exact, other in kinds]).reshape(-1, 2)
    return Candidates(
        offsets=np.arange(len(kinds) + 1) * PRODUCTS,
        cosines=values[:, 0],
        features=values[:, 1:],
        likelihoods=np.zeros(len(values)),
        names=("text_score",),
        locales=np.repeat(np.array(locales or ["us"] * len(kinds)), PRODUCTS),
        readable=np.ones(len(kinds), bool),
        is_retrieved=np.ones(len(values), bool),
    )


def chosen(
    candidates: Candidates,
    methods: Sequence[Method] = METHODS,
    forest: Forest | None = None,
    *,
    margin: float = 0.01,
    min_queries: int = 1,
) -> Choice:
    queries = len(candidates.offsets) - 1
    exact = np.arange(len(candidates.cosines)) % PRODUCTS == 0
    totals = np.ones(queries, np.int64)
    return choose(candidates, exact, totals, forest, margin=margin, min_queries=min_queries, seed=0, methods=methods)


def test_quality_is_of_the_found_products_in_the_order_of_their_scores():
    candidates = replace(
        searched([BY_VECTOR] * 3), is_retrieved=np.array([True] * PRODUCTS + [False] + [True] * (2 * PRODUCTS - 1))
    )
    exact = np.zeros(33, bool)
    exact[[0, 3, 11, 14, 22]] = True
    scores = np.zeros(33)
    scores[[1, 2, 14]] = 1
    # Query 1: products 1 and 2, then 0 before 3, since equal scores keep their order; a third Exact one was not found.
    # Query 2 has 0 not found and 3 first. Query 3 has no Exact product that counts.
    measured = quality(scores, candidates, exact, np.array([3, 2, 0]))
    assert measured.recall_at_10 == pytest.approx([2 / 3, 1 / 2])
    assert measured.reciprocal_rank == pytest.approx([1 / 3, 1])
    last = quality(np.append([-1.0], np.zeros(32)), candidates, exact & (np.arange(33) != 3), np.array([1, 0, 0]))
    assert (last.recall_at_10.tolist(), last.reciprocal_rank.tolist()) == ([0], [1 / 11])


def test_too_few_queries_tell_nothing():
    candidates = searched([BY_TEXT] * 3)
    exact, totals = np.arange(33) == 0, np.array([1, 0, 0])
    choice = choose(candidates, exact, totals, None, margin=0.01, min_queries=2, seed=0)
    assert choice == Choice(DEFAULT, "1 validation queries are too few to judge, 2 are wanted", (), 1)


@pytest.mark.parametrize("method", ["vector", "text", "reciprocal_rank"])
def test_a_method_of_the_users_is_kept_however_few_queries_there_are(method):
    assert chosen(searched([BY_TEXT]), [method], min_queries=2).ordering.method == method


def test_a_better_method_replaces_a_simpler_one():
    choice = chosen(searched([BY_TEXT] * 20), ["vector", "text"])
    assert choice.ordering == Ordering("text")
    assert (choice.reason, choice.queries) == ("the best of 2 on 20 validation queries", 20)
    vector, text = choice.trials
    assert (vector.method, vector.recall_at_10, vector.difference, vector.against) == ("vector", 0, None, None)
    assert (text.method, text.recall_at_10, text.against) == ("text", 1, "vector")
    assert (text.difference, text.low, text.high) == (1, 1, 1)


@pytest.mark.parametrize(("kinds", "difference"), [([BY_VECTOR] * 20, -1), ([BY_BOTH] * 20, 0), ([BY_NONE] * 20, 0)])
def test_a_method_that_is_not_better_replaces_none(kinds, difference):
    choice = chosen(searched(kinds), ["vector", "text"])
    assert choice.ordering == Ordering("vector")
    assert choice.trials[1].difference == difference


def test_a_gain_that_may_be_chance_is_taken_only_within_the_margin():
    candidates = searched([BY_TEXT] * 6 + [BY_VECTOR] * 5 + [BY_BOTH] * 20)
    choice = chosen(candidates, ["vector", "text"])
    trial = choice.trials[1]
    assert trial.difference == pytest.approx(1 / 31)
    assert trial.low is not None
    assert -0.3 < trial.low < -0.01
    assert choice.ordering.method == "vector"
    assert chosen(candidates, ["vector", "text"], margin=0.3).ordering.method == "text"


def test_each_method_has_to_beat_the_one_chosen_so_far():
    # Vectors find the first half, text the second, and cosine + 0.7 times the share both: 1.5 > 1.2, and 1.2 > 1.1.
    half = chosen(searched([((1.5, 0.0), (0.5, 1.0))] * 10 + [BY_TEXT] * 10))
    assert [(trial.method, trial.recall_at_10, trial.against) for trial in half.trials] == [
        ("vector", 0.5, None),
        ("text", 0.5, "vector"),
        ("reciprocal_rank", 0, "vector"),
        ("weighted", 1, "vector"),
    ]
    assert half.ordering == Ordering("weighted", 0.7)
    by_text = chosen(searched([BY_TEXT] * 20))
    assert [trial.against for trial in by_text.trials] == [None, "vector", "text", "text"]
    assert by_text.ordering == Ordering("text")


def test_a_weight_is_the_best_one():
    # The Exact product scores 0.5 + weight, the others 1.1: the smallest weight that puts it first is 0.7.
    choice = chosen(searched([BY_TEXT] * 20), ["weighted"])
    assert choice.ordering == Ordering("weighted", 0.7)
    # The Exact product scores 0.9, the others 0.5 + weight.
    assert chosen(searched([BY_VECTOR] * 20), ["weighted"]).ordering == Ordering("weighted", 0.1)


def test_a_locale_has_the_weight_that_is_best_for_its_own_queries():
    candidates = searched([BY_VECTOR] * 100 + [BY_TEXT] * 60, ["us"] * 100 + ["es"] * 60)
    choice = chosen(candidates, ["weighted"])
    assert choice.ordering == Ordering("weighted", 0.1, {"es": 0.7})
    assert (choice.trials[0].weight, choice.trials[0].weights) == (0.1, {"es": 0.7})
    assert choice.trials[0].recall_at_10 == 1


def test_few_queries_of_a_locale_move_its_weight_little():
    candidates = searched([BY_VECTOR] * 100 + [BY_TEXT] * 5, ["us"] * 100 + ["es"] * 5)
    assert chosen(candidates, ["weighted"]).ordering == Ordering("weighted", 0.1)


def test_trees_are_tried_where_there_are_some():
    # Their one feature is the text score: at most 0.75 gives 0, more gives 1.
    forest = Forest.from_json(
        {
            "roots": [0],
            "features": [0, -1, -1],
            "thresholds": [0.75, 0, 0],
            "missing_left": [True] * 3,
            "lefts": [1, 1, 2],
            "rights": [2, 1, 2],
            "values": [0, 0, 1],
        }
    )
    choice = chosen(searched([BY_TEXT] * 20), ["vector", "learned"], forest)
    assert choice.ordering == Ordering("learned", 0.0, {}, forest)
    assert [trial.method for trial in choice.trials] == ["vector", "learned"]
    # Where the cosine tells it, its weight is the smallest that makes up for the forest: 1 + 0.5 x < 0.9 x.
    by_cosine = chosen(searched([BY_VECTOR] * 20), ["learned"], forest)
    assert by_cosine.ordering.weight == 3
    assert chosen(searched([BY_TEXT] * 20), ["learned"]) == Choice(
        DEFAULT, "the best of 0 on 20 validation queries", (), 20
    )


def test_a_query_without_a_candidate_counts_as_not_found():
    found = searched([BY_VECTOR] * 4)
    one = replace(found, offsets=np.array([0, 11, 11, 22, 33, 44, 44]), readable=np.ones(6, bool))
    exact = np.arange(44) % PRODUCTS == 0
    choice = choose(one, exact, np.ones(6, np.int64), None, margin=0.01, min_queries=1, seed=0)
    assert choice.queries == 6
    assert choice.ordering == Ordering("vector")
    assert choice.trials[0].recall_at_10 == pytest.approx(4 / 6)
