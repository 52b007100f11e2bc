import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, nDCG

from models.evaluation.metrics import distinct_gains, judged_ranks, ndcg, recall, reciprocal_rank
from models.labels import EXACT, GAINS, LABELS, OFFICIAL_GAINS, gains_of


def codes(labels: str) -> np.ndarray:
    return np.array([LABELS.index(label) for label in labels])


def as_ranked(labels: str, gains) -> float:
    """Return the nDCG of one query from its labels in ranked order."""
    return float(ndcg(gains_of(codes(labels), gains), np.arange(1, len(labels) + 1), np.array([0, len(labels)]))[0])


def test_query_535_scores_as_published():
    assert round(as_ranked("EISSSIISIISIISEE", GAINS), 5) == 0.73036
    assert round(as_ranked("EISSSIISIISIISEE", OFFICIAL_GAINS), 5) == 0.70456


def test_the_official_gains_are_the_papers_with_substitute_and_complement_swapped():
    assert GAINS == {"E": 1, "S": 0.1, "C": 0.01, "I": 0}
    assert OFFICIAL_GAINS == {"E": 1, "S": 0.01, "C": 0.1, "I": 0}
    assert as_ranked("SC", GAINS) == 1 > as_ranked("SC", OFFICIAL_GAINS)


def test_a_query_of_irrelevant_products_scores_zero():
    assert as_ranked("III", GAINS) == 0


def test_queries_do_not_touch_each_other():
    gains, offsets = gains_of(codes("EISIE"), GAINS), np.array([0, 2, 4, 5])
    ranks = judged_ranks(np.array([0.1, 0.9, 7.0, 6.0, -1.0]), offsets)
    assert ranks.tolist() == [2, 1, 1, 2, 1]
    assert ndcg(gains, ranks, offsets) == pytest.approx([1 / np.log2(3), 1, 1])


def test_equal_scores_keep_the_order_of_rows():
    assert judged_ranks(np.array([1.0, 2.0, 1.0, 2.0, 1.0]), np.array([0, 3, 5])).tolist() == [2, 1, 3, 1, 2]


def test_recall_counts_the_exact_products_above_the_cut():
    ranks, offsets = np.array([10, 11, 3, 200]), np.array([0, 3, 3, 4])
    assert recall(ranks, offsets, 10) == pytest.approx([2 / 3, np.nan, 0], nan_ok=True)
    assert recall(ranks, offsets, 200) == pytest.approx([1, np.nan, 1], nan_ok=True)


def test_reciprocal_rank_is_that_of_the_best_placed_exact_product_however_deep():
    ranks, offsets = np.array([10, 11, 4, 5000]), np.array([0, 3, 3, 4])
    assert reciprocal_rank(ranks, offsets) == pytest.approx([1 / 4, np.nan, 1 / 5000], nan_ok=True)


def test_distinct_gains_are_counted_by_query():
    assert distinct_gains(codes("EESCEI"), np.array([0, 2, 3, 3, 6])).tolist() == [1, 1, 0, 3]


# Few levels of score, so that ties abound. Product ids are zero-padded row numbers, so their order is that of rows.
judged_list = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 4)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(st.lists(judged_list, min_size=1, max_size=5), st.sampled_from([GAINS, OFFICIAL_GAINS]))
def test_measures_agree_with_ir_measures(queries, gains):
    labels = codes("".join(label for judged in queries for label, _ in judged))
    scores = np.array([float(score) for judged in queries for _, score in judged])
    offsets = np.cumsum([0, *(len(judged) for judged in queries)])
    ranks = judged_ranks(scores, offsets)

    # trec_eval breaks ties by DESCENDING id, so ties are settled beforehand, by hand, with Python's own sort.
    qrels, run = [], []
    for q, judged in enumerate(queries):
        ordered = sorted(range(len(judged)), key=lambda row, judged=judged: (-judged[row][1], f"{row:03}"))
        run += [ir_measures.ScoredDoc(str(q), f"{row:03}", -place) for place, row in enumerate(ordered)]
        qrels += [
            ir_measures.Qrel(str(q), f"{row:03}", round(100 * gains[label])) for row, (label, _) in enumerate(judged)
        ]

    def theirs(measure):
        values = {metric.query_id: metric.value for metric in ir_measures.iter_calc([measure], qrels, run)}
        return [values[str(q)] for q in range(len(queries))]

    assert ndcg(gains_of(labels, gains), ranks, offsets) == pytest.approx(theirs(nDCG), abs=1e-9)
    exact = np.flatnonzero(labels == EXACT)
    positives = np.searchsorted(exact, offsets)
    # They score a query without an Exact product 0; here it is NaN.
    assert np.nan_to_num(recall(ranks[exact], positives, 3)) == pytest.approx(theirs(R(rel=100) @ 3))
    assert np.nan_to_num(reciprocal_rank(ranks[exact], positives)) == pytest.approx(theirs(RR(rel=100)))
