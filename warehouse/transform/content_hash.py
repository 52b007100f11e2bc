"""Hashes of cleaned rows: of what a row was made from, and of what came of it, so that equal content is known by the hash."""

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract

CLEANED = ("staging.products", "staging.queries")
"""The tables whose rows have such hashes; those of other tables are hashes of their content alone."""

CONTENT_DIGITS = 16
_NO_VALUE, _NEXT = "chr(30)", "chr(31)"  # no cleaned text holds either


def with_content(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """Add to the input hashes of some rows, which say what they were made from, 16 hex digits of the MD5 of their content."""
    values = ", ".join(f'coalesce("{column}"::VARCHAR, {_NO_VALUE})' for column in contract.columns)
    content = f"md5(concat_ws({_NEXT}, {values}))[:{CONTENT_DIGITS}]"
    hashed = connection.sql(f"SELECT {content} AS content FROM rows").pl()
    return rows.with_columns(pl.concat_str(INPUT_HASH, hashed["content"], separator=":"))


def without_content(rows: pl.DataFrame) -> pl.DataFrame:
    """Return some rows with the part of their input hashes that says what they were made from."""
    return rows.with_columns(pl.col(INPUT_HASH).str.head(-CONTENT_DIGITS - 1))


def content_sql() -> str:
    """Return the SQL of the part of input hashes that says what came of it."""
    return f"{INPUT_HASH}[-{CONTENT_DIGITS}:]"
