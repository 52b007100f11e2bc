"""Integrity: counts of what must not be there; zero everywhere is the healthy answer."""

import duckdb
import polars as pl

from warehouse import tables
from warehouse.home import Home
from warehouse.lake import scalar
from warehouse.releases import Release


def leaked_queries(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the distinct query strings that stand both in test and outside of it, in one locale."""
    return scalar(connection, tables.sql("integrity.leaked_queries"))


def key_differences(home: Home, release: Release) -> tuple[int, int]:
    """Count the products of the release's snapshot without a vector, and the vectors without a product."""
    return catalogue_differences(home, release.vector_table, release.vector_version, release.snapshot)


def catalogue_differences(home: Home, vector_table: str, version: int, snapshot: int) -> tuple[int, int]:
    """Count the products of a snapshot without a vector in a version of a table, and the vectors without a product."""
    stored = pl.DataFrame({"key": pl.Series(home.vectors.read(vector_table, version, ["key"])["key"])})
    with home.lake.reading(snapshot) as connection:
        wanted = connection.sql("SELECT key FROM features.products").pl()
    missing = wanted.join(stored, on="key", how="anti").height
    return missing, stored.join(wanted, on="key", how="anti").height
