"""Translations: which title words tell of a query word, as Exact pairs show."""

import math

import numpy as np
import polars as pl
import pytest

from models.ranking.translation import SCHEMA, Translations, learn

PAIRS = [
    (1, "laptop sleeve", "laptop bag 13"),
    (1, "laptop sleeve", "bag for laptop"),
    (2, "red sleeve", "red bag"),
    (3, "laptop", "laptop 13"),
    (4, "sleeve", "bag"),
]


def pairs(rows: list[tuple[int, str, str]], locale: str = "us") -> pl.DataFrame:
    schema = {"query": pl.Int64, "query_words": pl.String, "title_words": pl.String}
    return pl.DataFrame(rows, schema, orient="row").with_columns(locale=pl.lit(locale))


def test_a_word_is_learned_from_the_title_words_that_no_other_word_explains() -> None:
    learned = learn(pairs(PAIRS))
    assert dict(learned.schema) == SCHEMA
    best = learned.sort("probability").group_by("query_word", maintain_order=True).last()
    assert dict(best.select("query_word", "title_word").iter_rows()) == {
        "laptop": "laptop",
        "red": "red",
        "sleeve": "bag",
    }
    assert learned.filter(title_word="").is_empty()
    assert learned["probability"].is_between(0, 1).all()


def test_the_order_of_the_pairs_and_repeated_judgements_of_a_query_change_nothing() -> None:
    learned = learn(pairs(PAIRS))
    assert learned["probability"].to_list() == pytest.approx(learn(pairs(PAIRS[::-1]))["probability"].to_list())
    assert learn(pairs([PAIRS[4]] * 5)).equals(learn(pairs([PAIRS[4]])))


def test_locales_learn_apart() -> None:
    learned = learn(pl.concat([pairs(PAIRS), pairs([(5, "sleeve", "manga")] * 2, "es")]))
    assert set(learned.filter(locale="es")["title_word"]) == {"manga"}
    assert learned.filter(locale="us").equals(learn(pairs(PAIRS)))


@pytest.mark.parametrize("rows", [[], [(1, "", "bag")], [(1, "sleeve", "")]])
def test_pairs_without_words_teach_nothing(rows) -> None:
    assert learn(pairs(rows)).is_empty()


def test_a_title_that_says_the_same_in_other_words_is_likelier_than_one_that_does_not() -> None:
    same, other, neither, nothing = Translations(learn(pairs(PAIRS))).likelihoods(
        ["sleeve", "laptop"], "us", ["laptop bag", "laptop 13", "mug", ""]
    )
    assert same > other > neither == nothing == pytest.approx(math.log(0.02))


def test_without_translations_a_title_needs_the_word_itself() -> None:
    none = Translations(pl.DataFrame(schema=SCHEMA))
    both, one, long = none.likelihoods(
        ["red", "mug", "mug"], "us", ["red mug", "mug", "red mug " + "a b c d e f g h i j k l m n"]
    )
    assert both == pytest.approx(math.log(0.52))
    assert one == pytest.approx((math.log(0.52) + math.log(0.02)) / 2)
    assert long == pytest.approx(math.log(0.02 + 0.5 * 8 / 16))
    assert np.isnan(none.likelihoods([], "us", ["mug"])).all()
    assert none.likelihoods(["red"], "us", []).tolist() == []
