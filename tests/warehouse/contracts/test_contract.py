import json

import dataframely as dy
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from warehouse.contracts.contract import Contract, about, key_column, rule_name, split_rows
from warehouse.contracts.registry import CONTRACTS


class Mug(dy.Schema):
    """One row per mug.

    Red ones are small.
    """

    id = key_column("name of the mug")
    color = dy.String(nullable=False, min_length=1, regex="^[a-z]*$", metadata=about("its color", tower="categorical"))
    volume_ml = dy.Int64(nullable=True, metadata=about("what it holds", tower="numeric"))

    @dy.rule()
    def red_is_small(cls) -> pl.Expr:
        """A red mug holds at most 100 ml."""
        return (pl.col("color") != "red") | (pl.col("volume_ml") <= 100)


MUGS = Contract("shop.mugs", Mug)


def frame(*rows: tuple[str, str | None, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"id": pl.String, "color": pl.String, "volume_ml": pl.Int64}, orient="row")


def test_a_contract_has_what_its_schema_declares() -> None:
    assert MUGS.grain == "One row per mug."
    assert MUGS.description == "One row per mug.\n\nRed ones are small."
    assert MUGS.key == "id"
    assert list(MUGS.columns) == ["id", "color", "volume_ml"]
    assert MUGS.meaning("volume_ml") == "what it holds"
    assert [MUGS.sql_type(column) for column in MUGS.columns] == ["VARCHAR", "VARCHAR", "BIGINT"]
    assert MUGS.tower_columns("numeric") == ("volume_ml",)
    assert MUGS.tower_columns("categorical") == ("color",)


def test_good_rows_pass_with_all_their_columns() -> None:
    rows = frame(("a", "red", 100), ("b", "blue", None)).with_columns(extra=pl.lit(1))
    good, violations = split_rows(MUGS, rows)
    assert_frame_equal(good, rows)
    assert violations.is_empty()
    assert violations.columns == ["key", "rule", "row"]


def test_a_row_is_named_once_for_each_rule_that_it_violates() -> None:
    rows = frame(("a", "red", 100), ("b", None, 1), ("c", "RED!", 1), ("d", "red", 200), ("e", "", None))
    good, violations = split_rows(MUGS, rows)
    assert good["id"].to_list() == ["a"]
    assert set(violations.select("key", "rule").rows()) == {
        ("b", "color_missing"),
        ("c", "color_malformed"),
        ("d", "red_is_small"),
        ("e", "color_empty"),
    }
    of_d = violations.filter(key="d")["row"].item()
    assert json.loads(of_d) == {"color": "red", "volume_ml": 200}


def test_rows_are_judged_one_by_one_even_under_one_key() -> None:
    good, violations = split_rows(MUGS, frame(("a", None, 1), ("a", "blue", 1), ("a", None, None), ("a", "blue", None)))
    assert good.rows() == [("a", "blue", 1), ("a", "blue", None)]
    assert violations["rule"].to_list() == ["color_missing", "color_missing"]


def test_a_bad_row_may_break_two_rules() -> None:
    _, violations = split_rows(
        Contract("shop.mugs", type("Two", (Mug,), {"__doc__": Mug.__doc__})), frame(("a", "RED", 1))
    )
    assert violations["rule"].to_list() == ["color_malformed"]
    _, violations = split_rows(
        CONTRACTS["raw.sources"],
        pl.DataFrame(
            {"key": [""], "query_id": [None], "source": [None]},
            schema={"key": pl.String, "query_id": pl.Int64, "source": pl.String},
        ),
    )
    assert sorted(violations["rule"]) == ["key_empty", "query_id_missing", "source_missing"]


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("product_id|nullability", "product_id_missing"),
        ("product_id|min_length", "product_id_empty"),
        ("product_locale|regex", "product_locale_malformed"),
        ("n|max", "n_max"),
        ("label|check__unknown", "unknown"),
        ("unknown_label", "unknown_label"),
    ],
)
def test_rules_have_plain_names(rule: str, name: str) -> None:
    assert rule_name(rule) == name


def test_the_version_follows_the_declaration() -> None:
    assert MUGS.version == Contract("shop.other", Mug).version
    assert MUGS.version != CONTRACTS["raw.products"].version
    assert len(MUGS.version) == 8


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
def test_every_contract_says_what_it_is(contract: Contract) -> None:
    assert contract.grain.startswith("One row per ")
    assert contract.grain.endswith((".", ";", ":")) or "." in contract.grain
    assert next(iter(contract.columns)) == contract.key
    assert all(contract.meaning(column) for column in contract.columns)
    assert all(contract.sql_type(column) for column in contract.columns)
    schema, name = contract.table.split(".")
    singular = {"features": "feature"}.get(schema, schema)
    assert contract.schema.__name__.lower() == (singular + name).replace("_", "")
