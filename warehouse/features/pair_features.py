"""Pair features of search candidates, computed by the same SQL that fills features.pairs."""

import threading

import duckdb
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError, first_line
from warehouse.lake import tables
from warehouse.lake.lake import connect

CONTRACT = CONTRACTS["features.pairs"]
NAMES = tuple(name for name in CONTRACT.columns if name not in ("key", "query_key", "product_key"))
"""The features, in the order of their declaration."""

QUERY_COLUMNS = ("key", "locale", "query", "words", "amounts", "query_brand", "query_color")
PRODUCT_COLUMNS = ("key", "title", "brand", "color", "title_words", "body_words", "amounts")

_FILLED = {
    "staging.judgements": ("key", "query_key", "product_key"),
    "staging.queries": ("key", "query", "locale", "words", "amounts"),
    "features.queries": ("key", "query_brand", "query_color"),
    "staging.products": ("key", "title", "brand", "color", "title_words", "body_words", "amounts"),
    "fitted.words": ("locale", "word", "weight"),
}
_QUERY_VIEWS = ("staging.queries", "features.queries")  # views of one table: a statement takes a millisecond


class PairFeatures:
    """Compute pair features with one set of word weights, in an in-memory database that threads may share."""

    def __init__(self, words: pl.DataFrame, *, threads: int = 1) -> None:
        """Load the word weights (locale, word, weight) of a ranker.

        Raises:
            WarehouseError: The SQL file reads data that is unknown at search time.
        """
        self._lock = threading.Lock()
        self._connection = _database(threads)
        self._connection.register("word_rows", words)
        self._connection.execute("INSERT INTO fitted.words BY NAME FROM word_rows")
        self._connection.unregister("word_rows")
        self._connection.execute(f"PREPARE features AS {_select()}")

    def __call__(self, pairs: pl.DataFrame, queries: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
        """Return the features of pairs, one row each, in their order.

        Args:
            pairs: query_key and product_key, each pair once.
            queries: The columns `QUERY_COLUMNS` of their queries, one row each.
            products: The columns `PRODUCT_COLUMNS` of their products, one row each.
        """
        numbered = (
            pairs.select("query_key", "product_key").with_row_index("key").with_columns(pl.col("key").cast(pl.String))
        )
        rows = {
            "staging.judgements": numbered,
            "query_rows": queries.select(QUERY_COLUMNS),
            "staging.products": products.select(PRODUCT_COLUMNS),
        }
        with self._lock:
            self._connection.begin()
            try:
                for table, frame in rows.items():
                    self._connection.register("rows", frame)
                    self._connection.execute(f"INSERT INTO {table} BY NAME FROM rows")
                    self._connection.unregister("rows")
                features = self._connection.execute("EXECUTE features").pl()
            finally:
                self._connection.rollback()
        return features.with_columns(pl.col("key").cast(pl.UInt32)).sort("key").select(NAMES)


def check_search_inputs() -> None:
    """Refuse an SQL file of features.pairs that no search could compute.

    Raises:
        WarehouseError: The file reads columns that are unknown at search time, or lacks a declared column.
    """
    _database(1).close()


def _database(threads: int) -> duckdb.DuckDBPyConnection:
    """Return a database with the empty tables that a search can fill."""
    connection = connect(memory_gb=1.0, threads=threads)
    for schema in {table.split(".")[0] for table in _FILLED}:
        connection.execute(f"CREATE SCHEMA {schema}")
    columns = ", ".join(f'"{name}" VARCHAR' for name in QUERY_COLUMNS)
    connection.execute(f"CREATE TABLE query_rows ({columns})")
    for table, names in _FILLED.items():
        if table in _QUERY_VIEWS:
            connection.execute(f"CREATE VIEW {table} AS SELECT {', '.join(names)} FROM query_rows")
        else:
            columns = ", ".join(f'"{name}" {CONTRACTS[table].sql_type(name)}' for name in names)
            connection.execute(f"CREATE TABLE {table} ({columns})")
    try:
        connection.execute(f"EXPLAIN {_select()}")
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        connection.close()
        filled = "; ".join(f"{', '.join(names)} of {table}" for table, names in _FILLED.items())
        raise WarehouseError(
            f"features.pairs cannot be computed at search: {first_line(error)}", f"the SQL file may read only {filled}"
        ) from error
    return connection


def _select() -> str:
    columns = ", ".join(f'"{name}"::{CONTRACT.sql_type(name)} AS "{name}"' for name in ("key", *NAMES))
    return f"SELECT {columns} FROM ({tables.sql(CONTRACT.table)})"
