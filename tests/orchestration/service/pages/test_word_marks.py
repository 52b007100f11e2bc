"""Marked words: stems, accents, unspaced scripts, and that the parts are the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.service.pages.word_marks import marked_texts


def marks(text, locale, *queries):
    (parts,) = marked_texts([text], [locale], queries)
    assert "".join(part.text for part in parts) == text
    return [part.text for part in parts if part.is_marked]


@pytest.mark.parametrize(
    ("text", "locale", "query", "marked"),
    [
        ("Two office Chairs, oak", "us", "chair for the OFFICE", ["office", "Chairs"]),
        ("Café table", "us", "cafe", ["Café"]),
        ("USBケーブル 1m 充電ケーブル用", "jp", "ケーブル", ["ケーブル", "ケーブル"]),
        ("armchair", "us", "chair", []),
        ("<b>chair</b>", "us", "chair b", ["b", "chair", "b"]),
        ("", "us", "chair", []),
    ],
)
def test_the_words_of_the_query_are_marked(text, locale, query, marked):
    assert marks(text, locale, query) == marked


def test_each_wording_counts():
    assert marks("red chair", "us", "chiar", "chair") == ["chair"]


def test_each_text_has_its_own_language():
    spanish, english = marked_texts(["sillas", "chairs"], ["es", "us"], ["silla chair"])
    assert [part.is_marked for part in (*spanish, *english)] == [True, True]


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=20))
def test_the_parts_are_the_text(texts, query):
    every = marked_texts(texts, ["jp"] * len(texts), [query])
    assert ["".join(part.text for part in parts) for parts in every] == texts
