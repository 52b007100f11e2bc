"""Query features at search time, computed by the same SQL that fills features.queries."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError, first_line
from warehouse.lake import tables
from warehouse.lake.lake import connect

CONTRACT = CONTRACTS["features.queries"]
KNOWN_AT_SEARCH = ("key", "locale", "query")
"""The columns of staging.queries that are known at search time; only these can become features."""

VOCABULARY_FILE = "vocabulary.parquet"
"""Name of the file next to a model's weights with the fitted.vocabulary of its training."""


class QueryFeatures:
    """Compute query features with one vocabulary, in an in-memory database that threads may share."""

    def __init__(self, vocabulary: pl.DataFrame) -> None:
        """Load the rows of fitted.vocabulary that the model was trained with.

        Raises:
            WarehouseError: The SQL file reads data that is unknown at search time.
        """
        self._lock = threading.Lock()
        self._connection = _database()
        with self._connection.cursor() as cursor:
            cursor.register("vocabulary_rows", vocabulary)
            cursor.execute("INSERT INTO fitted.vocabulary BY NAME SELECT * FROM vocabulary_rows ORDER BY key")
        # Prepared once, since planning the query takes longer than running it.
        self._connection.execute(f"PREPARE features AS {_select()}")
        self._schema = self._connection.execute("EXECUTE features").pl().schema

    def __call__(self, queries: pl.DataFrame) -> pl.DataFrame:
        """Return the columns of features.queries for queries, in their order.

        Args:
            queries: key, locale (may be null: unknown) and the cleaned query, one row each.
        """
        with self._lock, self._holding(queries) as connection:
            result = connection.execute("EXECUTE features")
            if queries.height == 1:  # a search: DuckDB returns a row faster than a frame
                return pl.DataFrame(result.fetchall(), schema=self._schema, orient="row")
            rows = result.pl()
        return queries.select(pl.col("key").cast(pl.String)).join(rows, on="key", how="left", maintain_order="left")

    @contextmanager
    def _holding(self, queries: pl.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield the connection with these rows in staging.queries, and roll them back afterwards."""
        self._connection.begin()
        try:
            if queries.height == 1:
                row = [queries[name][0] for name in KNOWN_AT_SEARCH]
                self._connection.execute("INSERT INTO staging.queries VALUES (?, ?, ?)", row)
            else:
                self._connection.register("query_rows", queries.select(pl.col(KNOWN_AT_SEARCH).cast(pl.String)))
                self._connection.execute("INSERT INTO staging.queries FROM query_rows")
            yield self._connection
        finally:
            self._connection.rollback()
            self._connection.unregister("query_rows")


def check_tower_inputs() -> None:
    """Refuse declarations that no search could honor.

    Raises:
        WarehouseError: The SQL of features.queries reads more than key, locale and query of its row and the fitted
            vocabulary, it does not compute a declared column, or a feature of pairs is declared a tower input.
    """
    pairs = CONTRACTS["features.pairs"]
    for column in (*pairs.tower_columns("numeric"), *pairs.tower_columns("categorical")):
        raise WarehouseError(
            f"features.pairs.{column} is declared a tower input, and a tower sees a query or a product, never both",
            "remove `tower` from the declaration of the column",
        )
    _database().close()


def _database() -> duckdb.DuckDBPyConnection:
    """Return a database with the empty tables that a search can fill."""
    connection = connect(memory_gb=1.0, threads=1)  # for one row, more threads cost more than they save
    for table, names in (("fitted.vocabulary", None), ("staging.queries", KNOWN_AT_SEARCH)):
        contract = CONTRACTS[table]
        columns = ", ".join(f'"{name}" {contract.sql_type(name)}' for name in names or contract.columns)
        connection.execute(f"CREATE SCHEMA {table.split('.')[0]}")
        connection.execute(f"CREATE TABLE {table} ({columns})")
    try:
        connection.execute(f"EXPLAIN {_select()}")
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        connection.close()
        raise WarehouseError(
            f"features.queries cannot be computed at search: {first_line(error)}",
            f"the SQL file may read only {', '.join(KNOWN_AT_SEARCH)} of staging.queries, and fitted.vocabulary",
        ) from error
    return connection


def _select() -> str:
    columns = ", ".join(f'"{name}"::{CONTRACT.sql_type(name)} AS "{name}"' for name in CONTRACT.columns)
    return f"SELECT {columns} FROM ({tables.sql(CONTRACT.table)})"
