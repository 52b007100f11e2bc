from dataclasses import replace

import numpy as np


def test_a_share_is_of_the_querys_highest_text_score_among_the_found(candidates):
    assert candidates.queries.tolist() == [0, 0, 0, 1, 1, 2]
    assert candidates.text_scores.tolist() == [4, 2, 8, 0, 3, 0]
    assert candidates.text_shares.tolist() == [1, 0.5, 2, 0, 1, 0]


def test_a_rank_counts_the_found_products_of_the_query_that_score_higher(candidates):
    assert candidates.text_ranks.tolist() == [1, 2, 1, 2, 1, 1]
    assert candidates.vector_ranks.tolist() == [2, 1, 3, 1, 1, 1]


def test_a_forest_reads_the_features_then_those_that_are_computed(candidates):
    nan = np.nan
    expected = [
        [7, 4, 1, 1, -1, 0],
        [nan, 2, 0.5, 2, -2, -1],
        [9, 8, 2, 1, 0, 1],
        [1, 0, 0, 2, nan, nan],
        [1, 3, 1, 1, nan, nan],
        [5, 0, 0, 1, -3, 0],
    ]
    assert np.array_equal(candidates.learned_from, expected, equal_nan=True)


def test_products_that_were_not_found_change_nothing_of_the_others(candidates):
    kept = candidates.is_retrieved
    alone = replace(
        candidates,
        offsets=np.array([0, 2, 4, 5]),
        cosines=candidates.cosines[kept],
        features=candidates.features[kept],
        likelihoods=candidates.likelihoods[kept],
        locales=candidates.locales[kept],
        is_retrieved=candidates.is_retrieved[kept],
    )
    assert np.array_equal(alone.learned_from, candidates.learned_from[kept], equal_nan=True)
    assert np.array_equal(alone.vector_ranks, candidates.vector_ranks[kept])


def test_a_query_may_have_no_candidate_and_no_found_one(candidates):
    one = replace(candidates, offsets=np.array([0, 0, 6, 6]), is_retrieved=np.zeros(6, bool))
    assert one.queries.tolist() == [1] * 6
    assert one.text_shares.tolist() == [0] * 6
    assert one.text_ranks.tolist() == one.vector_ranks.tolist() == [1] * 6
