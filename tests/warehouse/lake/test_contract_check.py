from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.contract_check import Broken, verify
from warehouse.lake.lake import Lake

PRODUCTS = CONTRACTS["raw.products"]


@pytest.fixture
def raw(connection: duckdb.DuckDBPyConnection, product: Callable[..., dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    """Return a connection to raw.products with ten valid rows: us:P0 to us:P9."""
    rows = [{"key": f"us:P{n}", **product(f"P{n}", "us", f"Mug {n}"), "input_hash": ""} for n in range(10)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
    tables.ensure(connection, PRODUCTS)
    connection.register("good", frame)
    connection.execute("INSERT INTO raw.products BY NAME FROM good")
    return connection


def spoil(connection: duckdb.DuckDBPyConnection, change: str, keys: str) -> None:
    connection.execute(f"UPDATE raw.products SET {change} WHERE key IN ({keys})")


def test_a_good_table_breaks_nothing(raw: duckdb.DuckDBPyConnection) -> None:
    assert verify(raw, PRODUCTS, batch_rows=3) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("product_title = ' '", "product_title_blank"),
        ("product_title = NULL", "product_title_missing"),
        ("product_id = ''", "product_id_empty"),
        ("product_locale = 'en_US'", "product_locale_malformed"),
    ],
)
@pytest.mark.parametrize("batch_rows", [1, 3, 50])
def test_a_broken_rule_of_the_last_batch_is_found(
    raw: duckdb.DuckDBPyConnection, change: str, rule: str, batch_rows: int
) -> None:
    spoil(raw, change, "'us:P9'")
    assert verify(raw, PRODUCTS, batch_rows) == [Broken(rule, 1, ("us:P9",))]


def test_rows_of_all_batches_are_counted_and_five_are_named(raw: duckdb.DuckDBPyConnection) -> None:
    spoil(raw, "product_title = ' '", "FROM (SELECT key FROM raw.products WHERE key <> 'us:P1')")
    spoil(raw, "product_locale = NULL", "'us:P1', 'us:P8'")
    assert verify(raw, PRODUCTS, batch_rows=2) == [
        Broken("product_locale_missing", 2, ("us:P1", "us:P8")),
        Broken("product_title_blank", 9, ("us:P0", "us:P2", "us:P3", "us:P4", "us:P5")),
    ]


def test_equal_keys_in_different_batches_are_found(raw: duckdb.DuckDBPyConnection) -> None:
    spoil(raw, "key = 'us:P0'", "'us:P5', 'us:P9'")
    assert verify(raw, PRODUCTS, batch_rows=2) == [Broken("duplicate_key", 2, ("us:P0",))]


def test_a_missing_key_has_no_name(raw: duckdb.DuckDBPyConnection) -> None:
    spoil(raw, "key = NULL", "'us:P0', 'us:P1'")
    assert verify(raw, PRODUCTS, batch_rows=2) == [Broken("key_missing", 2, ("None",))]


def test_rows_come_in_batches_and_with_the_columns_that_rules_need(
    raw: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[tuple[int, list[str]]] = []

    def watched(frame: Any) -> pl.DataFrame:
        made = pl.DataFrame(frame)
        batches.append((made.height, made.columns))
        return made

    monkeypatch.setattr("warehouse.lake.contract_check._frame", watched)
    assert verify(raw, PRODUCTS, batch_rows=4) == []
    needed = ["key", "product_id", "product_locale", "product_title"]
    assert batches == [(4, needed), (4, needed), (2, needed)]


def test_a_broken_rule_is_reported_in_one_line() -> None:
    assert str(Broken("product_title_blank", 7_000, ("a", "b"))) == "product_title_blank: 7,000 rows (a, b, …)"
    assert str(Broken("product_title_blank", 1, ("a",))) == "product_title_blank: 1 row (a)"


@pytest.fixture
def every_table(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for contract in CONTRACTS.values():
        tables.ensure(connection, contract)
    return connection


def test_every_contract_can_be_verified(every_table: duckdb.DuckDBPyConnection) -> None:
    assert {table: verify(every_table, contract, 3) for table, contract in CONTRACTS.items()} == {
        table: [] for table in CONTRACTS
    }


def test_of_rows_written_before_a_snapshot_no_more_than_the_keys_is_looked_at(lake: Lake, product: Any) -> None:
    def insert(connection: duckdb.DuckDBPyConnection, *names: str, title: str) -> None:
        rows = [{"key": f"us:{name}", **product(name, "us", title), "input_hash": ""} for name in names]
        connection.register("rows_in", pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String)))
        connection.execute("INSERT INTO raw.products BY NAME FROM rows_in")

    with lake.writing() as connection:
        tables.ensure(connection, PRODUCTS)
        insert(connection, "P1", "P2", "P2", title=" ")
    since = lake.snapshot()
    with lake.writing() as connection:
        insert(connection, "P3", title=" ")
        insert(connection, "P1", title="Mug")
    with lake.reading() as connection:
        assert verify(connection, PRODUCTS, 50, since) == [
            Broken("duplicate_key", 1, ("us:P1",)),
            Broken("product_title_blank", 1, ("us:P3",)),
        ]
        assert verify(connection, PRODUCTS, 50, lake.snapshot()) == []
