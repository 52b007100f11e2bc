import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.evaluation.bm25 import Bm25Index, Bm25Settings

TITLES = [title.split() for title in ("red shoe", "red red wine", "blue suede shoe size 9", "", "wine glass")]


def reference(documents: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    """BM25 by the book: Lucene's idf, no factor k1 + 1."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            df = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            tf = document.count(word)
            if tf:
                score += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4), (2.0, 0.0)])
def test_scores_are_those_of_the_formula(k1, b):
    index = Bm25Index.build(TITLES, Bm25Settings(k1=k1, b=b))
    queries = [["red", "shoe"], ["wine"], ["wine", "wine", "red"], ["size", "nothing"], []]
    expected = [reference(TITLES, query, k1, b) for query in queries]
    assert index.scores(queries) == pytest.approx(np.array(expected), rel=1e-5)


words = st.lists(st.sampled_from(["a", "b", "c", "d", "東京", "x"]), max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(words, min_size=1, max_size=8), words)
def test_any_scores_are_those_of_the_formula(texts, query):
    expected = np.array(reference(texts, query, 0.3, 0.6)) if any(texts) else np.zeros(len(texts))
    index = Bm25Index.build(texts, Bm25Settings())
    scores = index.scores([query])[0]
    assert scores == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert np.array_equal(index.pair_scores(query, np.arange(len(texts))), scores)


def test_the_librarys_own_scores_are_the_same():
    import bm25s

    retriever = bm25s.BM25(k1=0.3, b=0.6, method="lucene")
    retriever.index(TITLES, show_progress=False)
    ours = Bm25Index.build(TITLES, Bm25Settings()).scores([["red", "wine", "glass"]])[0]
    assert np.allclose(ours, retriever.get_scores(["red", "wine", "glass"]))


def test_pairs_are_scored_in_any_order_of_rows():
    index = Bm25Index.build(TITLES, Bm25Settings())
    rows = np.array([4, 0, 4, 3, 1])
    assert index.pair_scores(["red", "wine"], rows).tolist() == index.scores([["red", "wine"]])[0, rows].tolist()


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_texts_without_words_score_zero(texts):
    index = Bm25Index.build(texts, Bm25Settings())
    assert index.scores([["red"]]).tolist() == [[0.0] * len(texts)]
    assert index.pair_scores(["red"], np.arange(len(texts))).tolist() == [0.0] * len(texts)


def test_an_index_is_the_same_every_time():
    one, two = (Bm25Index.build(TITLES, Bm25Settings()) for _ in range(2))
    assert one.vocabulary == two.vocabulary
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("starts", "rows", "weights"))


def test_building_and_searching_say_nothing(caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        Bm25Index.build(TITLES, Bm25Settings()).scores([["red"], []])
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [{"k1": -1}, {"b": 1.5}, {"method": "bm25+"}, {"stemmer": "english"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Bm25Settings(**wrong)
