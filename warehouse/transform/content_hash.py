"""Hashes of cleaned rows: of a row's input and of its content, so that equal content is recognizable by the hash."""

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract

CLEANED = ("staging.products", "staging.queries")
"""The tables whose rows have such hashes; in other tables the input hash is a hash of the content alone."""

CONTENT_DIGITS = 16
_NO_VALUE, _NEXT = "chr(30)", "chr(31)"  # no cleaned text holds either


def with_content(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """Append 16 hex digits of the MD5 of each row's content to its input hash."""
    values = ", ".join(f'coalesce("{column}"::VARCHAR, {_NO_VALUE})' for column in contract.columns)
    content = f"md5(concat_ws({_NEXT}, {values}))[:{CONTENT_DIGITS}]"
    hashed = connection.sql(f"SELECT {content} AS content FROM rows").pl()
    return rows.with_columns(pl.concat_str(INPUT_HASH, hashed["content"], separator=":"))


def without_content(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the content part of their input hashes removed."""
    return rows.with_columns(pl.col(INPUT_HASH).str.head(-CONTENT_DIGITS - 1))


def content_sql() -> str:
    """Return the SQL of the content part of an input hash."""
    return f"{INPUT_HASH}[-{CONTENT_DIGITS}:]"
