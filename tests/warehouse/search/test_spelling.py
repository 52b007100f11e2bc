"""Spelling: unknown words become the nearest known ones."""

import polars as pl
import pytest

from warehouse.search.spelling import Spelling, respelled
from warehouse.transform.words import query_words

PRODUCTS = {
    "wireless": 40,
    "mouse": 30,
    "more": 5,
    "shoe": 9,
    "shot": 2,
    "shop": 3,
    "headphones": 7,
    "cup": 9,
    "mug": 8,
    "елка": 2,
}
STEMS = ["wireless", "mous", "more", "shoe", "shot", "shop", "headphon", "cup", "mug", "елка", "usb3", "mugs42"]


@pytest.fixture
def spelling() -> Spelling:
    words = pl.DataFrame({"locale": ["us"] * len(STEMS) + ["jp"], "word": [*STEMS, "東京"]})
    return Spelling(words, pl.DataFrame({"locale": "us", "word": PRODUCTS.keys(), "products": PRODUCTS.values()}))


def corrections(spelling: Spelling, query: str, locale: str = "us") -> dict[str, str]:
    return spelling.corrections(query, query_words(query, locale), locale)


@pytest.mark.parametrize(
    ("word", "correction"),
    [
        ("shoe", None),  # known
        ("Shoes", None),  # known by its stem
        ("shoee", "shoe"),  # a letter added
        ("sho", None),  # too short
        ("shoi", "shoe"),  # shoe, shot and shop are one edit away; most products have shoe
        ("mose", "mouse"),  # more is as near, and less frequent
        ("wireles", "wireless"),
        ("sohe", "shoe"),  # two letters swapped
        ("hoes", None),  # another first letter
        ("shoeee", None),  # two edits of a short word
        ("hedphoness", "headphones"),  # two edits of a long word
        ("heddphonnes", "headphones"),
        ("heddphonness", None),  # three
        ("mugg", "mug"),
        ("usb4", None),  # a code
        ("ёлкаа", "елка"),
        ("東京京京", None),
    ],
)
def test_a_word_becomes_the_nearest_known_one(spelling: Spelling, word: str, correction: str | None) -> None:
    assert list(corrections(spelling, word).values()) == ([correction] if correction else [])


def test_each_word_of_a_query_is_corrected_on_its_own(spelling: Spelling) -> None:
    query = "Wireles MOSE, mug 東京都 wireles"
    assert corrections(spelling, query) == {"wireles": "wireless", "mose": "mouse"}
    words = query_words(query, "us")
    assert spelling.corrected(query, words, "us") == ["wireless", "mous", "mug", "東京", "京都", "wireless"]
    assert respelled(query, corrections(spelling, query)) == "wireless mouse mug 東京都 wireless"
    assert spelling.corrected("mug", ["mug"], "us") == ["mug"]


@pytest.mark.parametrize("locale", ["jp", "xx"])
def test_a_locale_without_words_of_letters_corrects_none(spelling: Spelling, locale: str) -> None:
    assert corrections(spelling, "shoee", locale) == {}
    nothing = pl.DataFrame(schema={"locale": pl.String, "word": pl.String, "products": pl.Int32})
    assert corrections(Spelling(nothing, nothing), "shoee", locale) == {}
