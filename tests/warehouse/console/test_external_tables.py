from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest

from warehouse.console.external_tables import OutsideTable, attach_outside
from warehouse.errors import WarehouseError

VECTORS = pa.table(
    {
        "key": ["us:A", "us:B"],
        "locale": ["us", "us"],
        "vector": pa.array([[1.0, 0.0], [0.0, 1.0]], pa.list_(pa.float32(), 2)),
    }
)


class Loader:
    def __init__(self) -> None:
        self.requested: list[list[str]] = []

    def __call__(self, columns: Sequence[str]) -> pa.Table:
        self.requested.append(list(columns))
        return VECTORS.select(columns)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def connection(loader: Loader) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    table = OutsideTable("One row per product.", rows=lambda: 2, schema=lambda: VECTORS.schema, load=loader)
    attach_outside(connection, "vectors.products", table)
    return connection


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT key FROM vectors.products", ["key"]),
        ("SELECT p.locale FROM vectors.products p WHERE p.key = 'us:A'", ["key", "locale"]),
        ("SELECT * EXCLUDE (vector) FROM vectors.products", ["key", "locale"]),
        ("FROM vectors.products", ["key", "locale", "vector"]),
        ("SELECT vector[1] FROM vectors.products JOIN (SELECT 'us:A' AS key) USING (key)", ["key", "vector"]),
    ],
)
def test_only_the_columns_that_a_query_needs_are_loaded(
    connection: duckdb.DuckDBPyConnection, loader: Loader, sql: str, columns: list[str]
) -> None:
    connection.sql(sql).fetchall()
    assert [sorted(requested) for requested in loader.requested] == [columns]


def test_counting_loads_one_column(connection: duckdb.DuckDBPyConnection, loader: Loader) -> None:
    assert connection.sql("SELECT count(*) FROM vectors.products").fetchall() == [(2,)]
    assert loader.requested == [["key"]]


def test_describing_loads_nothing(connection: duckdb.DuckDBPyConnection, loader: Loader) -> None:
    described = connection.sql("DESCRIBE vectors.products").fetchall()
    assert [row[:2] for row in described] == [("key", "VARCHAR"), ("locale", "VARCHAR"), ("vector", "FLOAT[2]")]
    assert loader.requested == []


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("key = 'us:B'", ["us:B"]),
        ("key IN ('us:A', 'us:C')", ["us:A"]),
        ("key LIKE '%B'", ["us:B"]),
        ("vector[1] > 0.5", ["us:A"]),
        ("key IS NULL", []),
    ],
)
def test_filters_keep_the_right_rows(connection: duckdb.DuckDBPyConnection, condition: str, keys: list[str]) -> None:
    found_rows = connection.sql(f"SELECT key FROM vectors.products WHERE {condition}").fetchall()
    assert [key for (key,) in found_rows] == keys


def test_an_error_while_loading_is_kept() -> None:
    def fail(_: Sequence[str]) -> pa.Table:
        raise WarehouseError("the vectors are gone")

    connection = duckdb.connect()
    table = OutsideTable("One row per product.", rows=lambda: 2, schema=lambda: VECTORS.schema, load=fail)
    dataset = attach_outside(connection, "vectors.products", table)
    with pytest.raises(duckdb.Error):
        connection.sql("FROM vectors.products").fetchall()
    assert dataset.failure is not None
    assert dataset.failure.message == "the vectors are gone"
