"""Spelling: unknown words become the nearest known ones."""

import polars as pl
import pytest

from warehouse.features.spelling import Spelling, corrected

# The smaller the weight, the more products have the word.
WEIGHTS = {
    "": 9.0,
    "shoe": 1.0,
    "shot": 3.0,
    "shop": 2.0,
    "headphon": 4.0,
    "cup": 1.0,
    "usb3": 5.0,
    "елка": 2.0,
    "東京": 1.0,
    "mug": 1.0,
    "mugs42": 2.0,
}


@pytest.fixture
def spelling() -> Spelling:
    rows = [("us", word, weight) for word, weight in WEIGHTS.items()] + [("jp", "東京", 1.0)]
    return Spelling(pl.DataFrame(rows, schema=["locale", "word", "weight"], orient="row"))


@pytest.mark.parametrize(
    ("word", "correction"),
    [
        ("shoe", None),  # known
        ("shoee", "shoe"),  # a letter added
        ("sho", None),  # too short
        ("shoi", "shoe"),  # shoe, shot and shop are one edit away; most products have shoe
        ("shoa", "shoe"),
        ("sohe", "shoe"),  # two letters swapped
        ("hoes", None),  # another first letter
        ("shoeee", None),  # two edits of a short word
        ("hedphone", "headphon"),  # two edits of a long word
        ("heddphonne", None),  # three
        ("mugg", "mug"),
        ("usb4", None),  # a code
        ("ёлкаа", None),
        ("елкаа", "елка"),
        ("東京京京", None),
    ],
)
def test_a_word_becomes_the_nearest_known_one(spelling: Spelling, word: str, correction: str | None) -> None:
    assert spelling.corrections([word], "us") == ({word: correction} if correction else {})


def test_each_word_of_a_query_is_corrected_on_its_own(spelling: Spelling) -> None:
    corrections = spelling.corrections(["shoee", "mug", "mugg", "shoee"], "us")
    assert corrections == {"shoee": "shoe", "mugg": "mug"}
    assert corrected("shoee mug shoee", corrections) == "shoe mug shoe"
    assert corrected("", corrections) == ""


@pytest.mark.parametrize("locale", ["jp", "xx"])
def test_a_locale_without_words_of_letters_corrects_none(spelling: Spelling, locale: str) -> None:
    assert spelling.corrections(["shoee"], locale) == {}
    assert (
        Spelling(pl.DataFrame(schema={"locale": pl.String, "word": pl.String, "weight": pl.Float64})).corrections(
            ["shoee"], locale
        )
        == {}
    )
