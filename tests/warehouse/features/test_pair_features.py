"""Pair features: the value of each column on small cases, the same at search as in the lake."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import pair_features, word_counts
from warehouse.features.pair_features import (
    NAMES,
    PRODUCT_COLUMNS,
    QUERY_COLUMNS,
    PairFeatures,
    check_search_inputs,
)
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.transform.words import query_amounts, query_words

WEIGHTS = pl.DataFrame(
    [("us", "", 4.0), ("us", "red", 1.0), ("us", "mug", 2.0), ("us", "wine", 3.0), ("es", "taz", 9.0)],
    schema=["locale", "word", "weight"],
    orient="row",
)


@pytest.fixture(scope="module")
def compute() -> PairFeatures:
    return PairFeatures(WEIGHTS)


def query(text: str, brand: str | None = None, color: str | None = None, locale: str = "us") -> dict[str, Any]:
    words = " ".join(query_words(text, locale))
    values = (locale, locale, text, words, query_amounts(text), brand, color)
    return dict(zip(QUERY_COLUMNS, values, strict=True))


def product(
    title: str, body: str = "", brand: str | None = None, color: str | None = None, key: str = "us:P"
) -> dict[str, Any]:
    named = " ".join(filter(None, (title, brand, color)))
    words = (" ".join(query_words(text, "us")) for text in (named, body))
    return dict(zip(PRODUCT_COLUMNS, (key, title, brand, color, *words, query_amounts(title)), strict=True))


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))


def features(compute: PairFeatures, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    pairs = pl.DataFrame({"query_key": [one["key"]], "product_key": [other["key"]]})
    rows = compute(pairs, frame([one], QUERY_COLUMNS), frame([other], PRODUCT_COLUMNS))
    assert rows.columns == list(NAMES)
    (row,) = rows.to_dicts()
    return row


def test_words_are_counted_and_weighed(compute: PairFeatures) -> None:
    # red weighs 1, mug 2, wine 3 and glass, which no product had, 4
    row = features(compute, query("red wine mug glass red"), product("Big red mug", "for red wine"))
    assert row == pytest.approx(
        {
            "query_length": 4,
            "title_length": 3,
            "text_score": 3 / 1.147 + 0.3 * 4 / 1.327,
            "title_score": 3 / (1 + 0.3 * (0.4 + 0.6 * 3 / 20)),
            "body_score": 4 / (1 + 1.2 * (0.25 + 0.75 * 3 / 100)),
            "matched_share": 3 / 4,
            "matched_weight": 6 / 10,
            "title_weight": 3 / 10,
            "body_weight": 4 / 10,
            "title_share": 2 / 3,
            "adjacent_share": 0,
            "first_position": 2,
            "number_share": None,
            "amount_share": None,
            "has_phrase": False,
            "has_first_word": True,
            "has_last_word": True,
            "has_other_amount": False,
            "brand_fit": None,
            "color_fit": None,
        }
    )


def test_a_query_without_words_matches_nothing(compute: PairFeatures) -> None:
    row = features(compute, query("🙂"), product("!!!"))
    zeros = [name for name, value in row.items() if value == 0]
    assert zeros == [*NAMES[:10], "has_phrase", "has_first_word", "has_last_word", "has_other_amount"]
    assert {value for name, value in row.items() if name not in zeros} == {None}


@pytest.mark.parametrize(
    ("locale", "weight"),
    [("us", 2 / 6), ("es", 1 / 2), ("jp", 1 / 2)],  # es has no weight of an unknown word: each weighs 1
)
def test_weights_are_those_of_the_querys_locale(compute: PairFeatures, locale: str, weight: float) -> None:
    row = features(compute, query("mug cup", locale=locale), product("Mug"))
    assert row["title_weight"] == pytest.approx(weight)


@pytest.mark.parametrize(
    ("text", "title", "adjacent", "position", "phrase", "first", "last"),
    [
        ("red wine mug", "Large red wine mug", 1, 2, True, True, True),
        ("red wine mug", "Wine mug, red", 1 / 2, 1, False, True, True),
        ("red wine mug", "Mug", 0, 1, False, False, True),
        ("red wine mug", "Red", 0, 1, False, True, False),
        ("red wine mug", "Cup", 0, None, False, False, False),
        ("red", "A red mug", None, 2, True, True, True),
        ("red", "Redder mug", None, None, False, False, False),
        ("mugs red", "Mug red", 1, 1, True, True, True),
        ("हिन्दी किताब", "नई हिन्दी किताब", 1, 2, True, True, True),
        ("café", "e\u0301 é हिन्दी cafe", None, 4, True, True, True),
    ],
)
def test_the_places_of_words(
    compute: PairFeatures,
    text: str,
    title: str,
    adjacent: float | None,
    position: int | None,
    phrase: bool,
    first: bool,
    last: bool,
) -> None:
    row = features(compute, query(text), product(title))
    assert (row["adjacent_share"], row["first_position"]) == (adjacent, position)
    assert (row["has_phrase"], row["has_first_word"], row["has_last_word"]) == (phrase, first, last)


def test_brand_and_color_are_words_of_the_title(compute: PairFeatures) -> None:
    row = features(compute, query("acme red"), product("Mug", brand="Acme", color="Red"))
    assert (row["title_length"], row["has_phrase"], row["first_position"]) == (3, True, 2)


@pytest.mark.parametrize(
    ("text", "title", "share"),
    [
        ("mug 12 4", "Mug 12", 1 / 2),
        ("mug 12 4", "4 mugs of 12", 1),
        ("mug 12", "Mug 120", 0),
        ("mug", "Mug 12", None),
        ("usb3 mug", "Mug 3", None),
    ],
)
def test_numbers(compute: PairFeatures, text: str, title: str, share: float | None) -> None:
    assert features(compute, query(text), product(title))["number_share"] == share


@pytest.mark.parametrize(
    ("text", "title", "share", "other"),
    [
        ('laptop 13"', "Laptop, 13-inch", 1, False),
        ('laptop 13"', 'Laptop 15"', 0, True),
        ('laptop 13"', "Laptop", 0, False),
        ('laptop 13"', "Laptop 2 kg", 0, False),
        ("laptop", 'Laptop 15"', None, False),
        ("13 inch 2 kg", "33.02 cm, 2 kg", 1, False),
        ("13 inch 2 kg", "13 inch, 3 kg", 1 / 2, True),
        ("12 inch 14 inch 500 ml", "12 inch, 14 inch, 300 ml", 2 / 3, True),
    ],
)
def test_amounts(compute: PairFeatures, text: str, title: str, share: float | None, other: bool) -> None:
    row = features(compute, query(text), product(title))
    assert (row["amount_share"], row["has_other_amount"]) == (pytest.approx(share) if share else share, other)


@pytest.mark.parametrize(
    ("text", "asked", "title", "named", "fit"),
    [
        ("acme mug", "acme", "Mug", "Acme", 1),
        ("acme mug", "acme", "Mug by ACME", None, 1),
        ("acme mug", "acme", "Mug", "Bolt", -1),
        ("acme mug", "acme", "Mug", None, 0),
        ("acme mug", "acme", "Mug", "—", 0),
        ("acme mug", None, "Mug", "Acme", 1),  # a name that the vocabulary does not know
        ("acme mug", None, "Mug", "Bolt", None),
        ("mug", None, "Mug", "Acme", None),
        ("acmes mug", None, "Mug", "Acme", None),
        ("new balance", "newbalance", "Shoe", "New-Balance", 1),
        ("new balance", None, "Shoe", "New Balance", 1),
        ("new balance", "newbalance", "Shoe", "New", 1),
        ("ナイキ 靴", "ナイキ", "靴", "NIKE(ナイキ)", 1),
    ],
)
def test_brand_and_color_fit_alike(
    compute: PairFeatures, text: str, asked: str | None, title: str, named: str | None, fit: int | None
) -> None:
    by_brand = features(compute, query(text, brand=asked), product(title, brand=named))
    by_color = features(compute, query(text, color=asked), product(title, color=named))
    assert (by_brand["brand_fit"], by_color["color_fit"]) == (fit, fit)
    assert (by_brand["color_fit"], by_color["brand_fit"]) == (None, None)


def test_pairs_are_answered_in_their_order(compute: PairFeatures) -> None:
    products = [product("x " * (number % 7) + "mug", key=f"us:P{number:02}") for number in range(30)]
    queries = [query("mug"), query("x", locale="es")]
    places = [(number * 7) % 30 for number in range(30)]
    pairs = pl.DataFrame(
        {
            "query_key": [("us", "es")[place % 2] for place in places],
            "product_key": [f"us:P{place:02}" for place in places],
        }
    )
    answer = compute(pairs, frame(queries, QUERY_COLUMNS), frame(products, PRODUCT_COLUMNS))
    assert answer["title_length"].to_list() == [place % 7 + 1 for place in places]
    assert answer["has_phrase"].to_list() == [place % 2 == 0 or place % 7 > 0 for place in places]
    again = compute(pairs[:5], frame(queries, QUERY_COLUMNS), frame(products, PRODUCT_COLUMNS))
    assert again.equals(answer[:5])
    assert compute(pairs[:0], frame([], QUERY_COLUMNS), frame([], PRODUCT_COLUMNS)).schema == answer.schema


def test_a_refused_call_leaves_nothing_behind(compute: PairFeatures) -> None:
    one, other = query("mug"), product("Mug")
    before = features(compute, one, other)
    pairs = pl.DataFrame({"query_key": ["us"], "product_key": ["us:P"]})
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        compute(pairs, frame([one], QUERY_COLUMNS), frame([other], PRODUCT_COLUMNS).drop("title"))
    assert features(compute, one, other) == before


def test_a_search_computes_what_the_lake_holds(built: Lake) -> None:
    with built.reading() as connection:
        offline = connection.sql("SELECT * EXCLUDE (input_hash) FROM features.pairs ORDER BY key").pl()
        products = connection.sql(f"SELECT {', '.join(PRODUCT_COLUMNS)} FROM staging.products").pl()
        queries = connection.sql(
            "SELECT key, queries.locale, query, words, amounts, query_brand, query_color "
            "FROM staging.queries AS queries JOIN features.queries AS named USING (key)"
        ).pl()
    assert offline.height == 5
    assert offline["brand_fit"].to_list() == [1, None, None, None, None]
    compute = PairFeatures(word_counts.word_counts(built))
    assert_frame_equal(compute(offline, queries, products), offline.select(NAMES))
    for pair in offline.iter_slices(1):
        assert_frame_equal(compute(pair, queries, products), pair.select(NAMES))


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("    title_length,\n", "    title_length,\n    description,\n", "description"),
        ("\nfrom scored", "\nfrom scored, features.products", "products"),
        ("    title_length,\n", "", "title_length"),
    ],
)
def test_what_a_search_does_not_know_cannot_be_a_feature_of_pairs(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, named: str
) -> None:
    sql = tables.sql("features.pairs")
    assert before in sql
    monkeypatch.setattr(pair_features.tables, "sql", lambda _table: sql.replace(before, after))
    with pytest.raises(WarehouseError, match=f"features.pairs cannot be computed at search.*{named}"):
        check_search_inputs()


def test_a_declared_column_that_the_sql_does_not_compute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithSource(CONTRACTS["features.pairs"].schema):  # type: ignore[misc,name-defined]
        """One row per judged query and product."""

        source = CONTRACTS["staging.queries"].columns["source"]

    monkeypatch.setattr(pair_features, "NAMES", (*NAMES, "source"))
    monkeypatch.setattr(pair_features, "CONTRACT", Contract("features.pairs", WithSource))
    with pytest.raises(WarehouseError, match=r"cannot be computed at search.*source"):
        check_search_inputs()


def test_the_declarations_as_they_are_pass() -> None:
    check_search_inputs()


@pytest.mark.parametrize(
    ("title", "fit"),
    [("Solar edge lamp", 0), ("Red lamp", 1), ("Lamp, RED.", 1), ("Lamp redder than red-hot", 1), ("Redlamp", 0)],
)
def test_a_color_is_met_by_a_whole_word(compute: PairFeatures, title: str, fit: int) -> None:
    assert features(compute, query("red lamp", color="red"), product(title))["color_fit"] == fit
