"""Rows of a source, as the conversions read them."""

from collections.abc import Callable, Iterator, Sequence

import duckdb
import polars as pl
import pytest

from warehouse.lake.lake import connect

Rows = Sequence[Sequence[str | None]]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(1.0, threads=1) as opened:
        yield opened


@pytest.fixture
def fill(connection: duckdb.DuckDBPyConnection) -> Callable[[str, Rows], dict[str, str]]:
    """Give a function that fills the table `rows` of a file log.csv, and returns the columns to declare."""

    def fill_rows(columns: str, rows: Rows) -> dict[str, str]:
        names = columns.split()
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row").with_columns(
            file=pl.lit("log.csv"), row=pl.int_range(pl.len(), dtype=pl.Int64)
        )
        connection.register("given", frame)
        connection.execute("CREATE OR REPLACE TABLE rows AS FROM given")
        connection.unregister("given")
        return {name: name for name in names}

    return fill_rows
