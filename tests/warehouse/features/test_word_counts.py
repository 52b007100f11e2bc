"""Word counts: how many products have a word, and when they are counted."""

import math
from collections.abc import Callable

from warehouse.features import word_counts
from warehouse.lake.lake import Lake
from warehouse.transform import staging

NOTHING = {"inserted": 0, "updated": 0, "deleted": 0}


def counts(lake: Lake) -> dict[str, int]:
    with lake.reading() as connection:
        return dict(connection.sql("SELECT key, products FROM fitted.words").fetchall())


def test_words_are_counted_once_a_product_and_locale(built: Lake) -> None:
    assert counts(built) == {
        "us:": 0,
        "us:nike": 1,
        "us:run": 1,
        "us:shoe": 1,
        "us:42": 1,
        "us:red": 1,
        "us:plain": 1,
        "us:mug": 1,
        "es:": 0,
        "es:zapatill": 1,
        "es:nik": 1,
        "es:roj": 1,
        "jp:": 0,
        "jp:ナイ": 1,
        "jp:イキ": 1,
        "jp:シュ": 1,
        "jp:ュー": 1,
        "jp:ーズ": 1,
        "jp:nike": 1,
    }


def test_an_apply_keeps_the_counts_and_a_build_counts_again(built: Lake, derive: Callable[..., None]) -> None:
    before = counts(built)
    with built.writing() as connection:
        connection.execute("DELETE FROM raw.products WHERE key = 'us:P2'")
    staging.refresh_products(built, allow_loss=True)
    assert word_counts.refresh(built, keep=True) == NOTHING
    assert counts(built) == before
    # Plain and mug go; with one product left in us, every other weight changes.
    assert word_counts.refresh(built) == {"inserted": 0, "updated": 6, "deleted": 2}
    assert counts(built) == {key: each for key, each in before.items() if key not in ("us:plain", "us:mug")}
    assert word_counts.refresh(built) == NOTHING


def test_an_empty_table_is_filled_even_if_it_is_kept(filled: Lake) -> None:
    staging.refresh_products(filled)
    assert word_counts.refresh(filled, keep=True)["inserted"] == len(counts(filled)) > 0


def test_a_ranker_reads_the_weights_by_key_as_of_a_snapshot(built: Lake) -> None:
    snapshot, before = built.snapshot(), word_counts.word_counts(built)
    assert before.columns == ["locale", "word", "weight"]
    assert before.rows()[:2] == [("es", "", math.log(4)), ("es", "nik", math.log(4 / 3))]
    with built.writing() as connection:
        connection.execute("DELETE FROM fitted.words")
    assert word_counts.word_counts(built).is_empty()
    assert word_counts.word_counts(built, snapshot).equals(before)


def test_spellings_are_whole_words_of_letters_in_a_script_with_cases(built: Lake) -> None:
    assert set(word_counts.spellings(built).rows()) == {
        ("us", "nike", 1),
        ("us", "running", 1),
        ("us", "shoes", 1),
        ("us", "red", 1),
        ("us", "plain", 1),
        ("us", "mug", 1),
        ("es", "zapatillas", 1),
        ("es", "nike", 1),
        ("es", "rojo", 1),
        ("jp", "nike", 1),
    }
