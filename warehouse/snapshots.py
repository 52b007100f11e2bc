"""As-of points: the snapshots that ended a successful run."""

from datetime import datetime

import duckdb
import polars as pl

from warehouse import tables
from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import Lake, snapshot_id

CONTRACT = CONTRACTS["registry.snapshots"]


def mark(lake: Lake, run_id: str, ended_at: datetime) -> int:
    """Make the lake's present state an as-of point and return its snapshot; write nothing if it is one already."""
    with lake.reading() as connection:
        newest = snapshot_id(connection)
        if newest in _marked(connection):
            return newest
    with lake.writing() as connection:
        tables.ensure(connection, CONTRACT)
        snapshot = snapshot_id(connection) + 1  # this very commit's: there is one writer at a time
        connection.execute(
            f"INSERT INTO {CONTRACT.table} BY NAME "
            f"SELECT ? AS key, ? AS snapshot, ? AS run_id, ? AS ended_at, ? AS {INPUT_HASH}",
            [str(snapshot), snapshot, run_id, ended_at, run_id],
        )
    return snapshot


def points(lake: Lake) -> pl.DataFrame:
    """Return the as-of points: snapshot, run_id, ended_at, oldest first."""
    with lake.reading() as connection:
        if not tables.exists(connection, CONTRACT.table):
            return pl.DataFrame(
                schema={"snapshot": pl.Int64, "run_id": pl.String, "ended_at": pl.Datetime("us", "UTC")}
            )
        return connection.sql(f"SELECT snapshot, run_id, ended_at FROM {CONTRACT.table} ORDER BY snapshot").pl()


def _marked(connection: duckdb.DuckDBPyConnection) -> set[int]:
    if not tables.exists(connection, CONTRACT.table):
        return set()
    return {int(row[0]) for row in connection.execute(f"SELECT snapshot FROM {CONTRACT.table}").fetchall()}
