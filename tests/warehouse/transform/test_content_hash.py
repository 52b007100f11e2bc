"""Cleaned rows have equal content hashes exactly if their content is equal, for any raw text."""

import duckdb
import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.transform import content_hash

PRODUCTS = CONTRACTS["staging.products"]


@pytest.fixture
def hashes(connection: duckdb.DuckDBPyConnection):
    """Return a function that returns the input hash of a cleaned product with some values and raw hash."""

    def hashed(made_from: str, **values: str | None) -> str:
        filled = {name: values.get(name, "x") for name in PRODUCTS.columns} | {"input_hash": made_from}
        row = pl.DataFrame(filled, schema=dict.fromkeys(filled, pl.String))
        return str(content_hash.with_content(connection, PRODUCTS, row)["input_hash"].item())

    return hashed


def test_equal_content_has_equal_hashes_for_any_input(hashes) -> None:
    assert hashes("old") != hashes("new")
    assert content(hashes("old")) == content(hashes("new"))


def content(input_hash: str) -> str:
    """Return the content part of a hash, by SQL."""
    return str(
        duckdb.sql(f"SELECT {content_hash.content_sql()} FROM (SELECT '{input_hash}' AS input_hash)").fetchall()[0][0]
    )


@pytest.mark.parametrize(
    "other",
    [{"title": "y"}, {"brand": None}, {"brand": ""}, {"title": "xx", "brand": ""}, {"title": "", "brand": "xx"}],
)
def test_other_content_is_other(hashes, other) -> None:
    assert content(hashes("a")) != content(hashes("a", **other))


def test_no_value_is_not_an_empty_one_and_values_do_not_run_together(hashes) -> None:
    every = [{"brand": None}, {"brand": ""}, {"title": "xx", "brand": ""}, {"title": "", "brand": "xx"}]
    assert len({content(hashes("a", **each)) for each in every}) == len(every)


def test_what_a_row_was_made_from_is_left_without_its_content(hashes) -> None:
    rows = pl.DataFrame({"key": ["k"], "input_hash": [hashes("md5:rules:contract")]})
    assert content_hash.without_content(rows)["input_hash"].to_list() == ["md5:rules:contract"]
