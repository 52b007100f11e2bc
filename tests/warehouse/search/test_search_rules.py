"""Search rules: what a line becomes for each locale, and which lines are refused, with the reason."""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.search import search_rules

COLUMNS = ("rule", "query", "locale", "product", "condition", "value")
Line = tuple[str | None, ...]
Check = Callable[..., tuple[list[dict[str, Any]], dict[str, dict[str, str]]]]


@pytest.fixture
def check(connection: duckdb.DuckDBPyConnection) -> Check:
    """Return a function that checks lines (from line 2 on) against four products: the rows, and the rules broken by line."""
    for name in ("raw.search_rules", "staging.products"):
        tables.ensure(connection, CONTRACTS[name])
    products = [
        ("us:P1", "us", " red sofa "),
        ("us:P2", "us", " couch "),
        ("us:P3", "us", " red mug "),
        ("es:P1", "es", " taza "),
    ]
    connection.executemany("INSERT INTO staging.products (key, locale, title_words) VALUES (?, ?, ?)", products)

    def run(*lines: Line) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        names = ", ".join(COLUMNS)
        connection.executemany(
            f"INSERT INTO raw.search_rules (key, line, {names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(f"search_rules.csv:{number}", number, *line) for number, line in enumerate(lines, 2)],
        )
        rows, violations = search_rules.checked(connection)
        broken: dict[str, dict[str, str]] = {}
        for key, rule, row in violations.iter_rows():
            broken.setdefault(key.removeprefix("search_rules.csv:"), {})[rule] = json.loads(row)["reason"]
        return rows.to_dicts(), broken

    return run


def test_a_query_is_compared_as_words_and_a_blank_locale_is_every_locale(check: Check) -> None:
    rows, broken = check(
        ("synonym", " Sofás  ROJOS", None, None, None, "Settees"), ("hide", None, " us ", None, "brand = 'x'", None)
    )
    assert broken == {}
    assert [(row["key"], row["query_words"], row["synonym"], row["synonym_words"]) for row in rows] == [
        ("search_rules.csv:2:es", "sof roj", "Settees", "sett"),
        ("search_rules.csv:2:us", "sofa rojo", "Settees", "sette"),
        ("search_rules.csv:3:us", "", None, None),
    ]


def test_a_rule_of_a_product_is_for_the_locale_of_the_product(check: Check) -> None:
    rows, broken = check(("pin", "sofa", "US", " US:P2", "", " 3 "), ("boost", "", None, "es:P1", None, "1.5"))
    assert broken == {}
    assert [(row["locale"], row["product_key"], row["place"], row["factor"]) for row in rows] == [
        ("us", "us:P2", 3, None),
        ("es", "es:P1", None, 1.5),
    ]


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        (("pin", "sofa", None, "us:P9", None, "1"), "unknown_product", "the catalog has no product us:P9"),
        (("hide", "sofa", "es", "us:P1", None, None), "locale_not_of_product", ""),
        (("hide", None, "jp", None, "brand = 'x'", None), "unknown_locale", ""),
        (("hide", "!!!", None, "us:P1", None, None), "query_without_words", ""),
        (
            ("hide", None, None, None, "brnd = 'x'", None),
            "condition_not_parsed",
            "the filter names brnd, and products have no such column",
        ),
        (("boost", None, None, None, "brand =", "2"), "condition_not_parsed", "cannot be parsed: a value is missing"),
        (("synonym", "sofa", None, None, None, "Sofás!"), "synonym_of_itself", ""),
        (("synonym", "sofa", "us", None, None, "?"), "synonym_without_words", ""),
        (
            ("synonym", "sofa", "us", None, None, "couch red"),
            "synonym_swallows",
            "33% of the products of us have the word couch",
        ),
    ],
)
def test_a_line_that_cannot_apply_is_refused_with_the_reason(check: Check, line: Line, rule: str, reason: str) -> None:
    line = tuple("sofas" if value == "Sofás!" else value for value in line)
    rows, broken = check(line)
    assert rows == []
    assert list(broken["2"]) == [rule]
    assert reason in broken["2"][rule]


def test_a_synonym_needs_one_word_that_is_not_frequent(check: Check) -> None:
    rows, broken = check(
        ("synonym", "sofa", "us", None, None, "red settee"), ("synonym", "red sofa", "us", None, None, "red")
    )
    assert broken == {}
    assert [row["synonym_words"] for row in rows] == ["red sette", "red"]


PIN, HIDE, BOOST = (
    ("pin", "sofa", None, "us:P1", None, "1"),
    ("hide", "Sofas", None, "us:P1", None, None),
    ("boost", "sofa", None, "us:P1", None, "2"),
)


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (PIN, HIDE, "pinned_and_hidden"),
        (HIDE, PIN, "pinned_and_hidden"),
        (BOOST, HIDE, "boosted_and_hidden"),
        (HIDE, BOOST, "boosted_and_hidden"),
        (("hide", None, None, "us:P1", None, None), PIN, "pinned_and_hidden"),
        (PIN, ("hide", None, None, "us:P1", None, None), "pinned_and_hidden"),
        (PIN, ("pin", "sofas", None, "us:P2", None, "1"), "place_taken"),
        (PIN, ("pin", "sofas", None, "us:P1", None, "2"), "pinned_twice"),
        (BOOST, ("boost", "sofas", "us", "us:P1", None, "3"), "boosted_twice"),
        (HIDE, HIDE, "hidden_twice"),
        (("synonym", "mug", "es", None, None, "pot"), ("synonym", "mugs", None, None, None, "pot"), "synonym_twice"),
    ],
)
def test_of_two_lines_that_contradict_each_other_the_first_counts(
    check: Check, first: Line, second: Line, rule: str
) -> None:
    if rule == "synonym_twice":
        first, second = (tuple("mug" if each == "mugs" else each for each in line) for line in (first, second))
    rows, broken = check(first, second)
    assert {row["line"] for row in rows} == {2}
    assert broken == {"3": {rule: "it contradicts search_rules.csv:2"}}


@pytest.mark.parametrize(
    "others",
    [
        [("pin", "mug", None, "us:P2", None, "1")],  # another query
        [("pin", None, None, "us:P2", None, "1")],  # every query
        [BOOST, ("boost", None, None, "us:P1", None, "3")],
        [("pin", "sofa", None, "es:P1", None, "1")],  # another locale
        [("hide", "mug", None, "us:P1", None, None)],
    ],
)
def test_rules_for_other_queries_and_locales_stand_beside_each_other(check: Check, others: list[Line]) -> None:
    rows, broken = check(PIN, *others)
    assert broken == {}
    assert {row["line"] for row in rows} == set(range(2, 3 + len(others)))


def test_a_refused_line_contradicts_nothing(check: Check) -> None:
    rows, broken = check(("pin", "sofa", None, "us:P9", None, "1"), PIN)
    assert list(broken) == ["2"]
    assert [row["line"] for row in rows] == [3]


def test_a_refresh_follows_the_rules_and_the_products(
    filled: Lake, derive: Callable[..., None], refused: Callable[[Lake], set[Any]]
) -> None:
    derive(filled, ("staging.products",))
    with filled.writing() as connection:
        tables.ensure(connection, CONTRACTS["raw.search_rules"])
        connection.execute(
            "INSERT INTO raw.search_rules (key, line, rule, product) VALUES "
            "('search_rules.csv:2', 2, 'hide', 'us:P1'), ('search_rules.csv:3', 3, 'hide', 'us:P9')"
        )
    checked = search_rules.refresh(filled)
    assert (checked.change.counts, checked.quarantined) == ({"inserted": 1, "updated": 0, "deleted": 0}, 1)
    assert ("staging.search_rules", "search_rules.csv:3", "unknown_product") in refused(filled)
    before = filled.snapshot()
    assert search_rules.refresh(filled).change.is_empty
    assert filled.snapshot() == before
    with filled.writing() as connection:
        connection.execute("UPDATE staging.products SET key = 'us:P9' WHERE key = 'us:P1'")
    checked = search_rules.refresh(filled)
    assert (checked.change.counts, checked.quarantined) == ({"inserted": 1, "updated": 0, "deleted": 1}, 1)


def test_a_lake_of_an_earlier_format_has_no_rules(filled: Lake) -> None:
    with filled.reading() as connection:
        assert search_rules.stored(connection).is_empty()
