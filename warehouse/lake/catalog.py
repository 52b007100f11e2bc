"""The catalog: what DuckLake records of a lake's tables, read from its SQLite file directly.

A query through DuckDB takes ten times as long.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import duckdb

from warehouse.lake import tables
from warehouse.lake.lake import Lake, newest_snapshot, open_catalog

_SCHEMES = ("ducklake:", "sqlite:")


class TableState(NamedTuple):
    """Describe a table as of a snapshot.

    Attributes:
        rows: The row count.
        last_change: The last snapshot that wrote or deleted rows of it, or created it.
        shaped_at: The snapshot that created it or last added a column.
        was_filled: Whether it ever had a row.
    """

    rows: int
    last_change: int
    shaped_at: int
    was_filled: bool


class LakeState:
    """Hold the state of every table as of a snapshot.

    Attributes:
        snapshot: The snapshot.
        readable: The snapshots as of which the lake can still be read.
        tables: The state of each table, by its name, sorted.
    """

    def __init__(self, snapshot: int, readable: frozenset[int], tables: Mapping[str, TableState]) -> None:
        self.snapshot = snapshot
        self.readable = readable
        self.tables = tables

    @cached_property
    def last_changes(self) -> dict[str, int]:
        """Return for each table the last snapshot that wrote or deleted rows of it, or created it."""
        return {name: state.last_change for name, state in self.tables.items()}

    def is_followed(self, names: Iterable[str], since: int) -> bool:
        """Tell whether the change feeds of some tables are complete after a snapshot.

        They are not if the snapshot has expired, or if a table was created after it, perhaps in place of another. Nor are they
        if a table gained a column, which changes every row.
        """
        known = [self.tables[name] for name in names if name in self.tables]
        return since in self.readable and all(state.shaped_at <= since for state in known)

    def data_version(self, table: str) -> str:
        """Return the data version of a table for Dagster: its row count, and the snapshot that changed it last.

        Equal versions of a table have equal content. Different versions may too: the table is not read.
        """
        state = self.tables.get(table)
        return f"{state.rows}-{state.last_change}" if state else "0-0"


def newest_state(lake: Lake, known: LakeState | None = None) -> LakeState:
    """Return the newest state of a lake, without DuckDB; `known` if it is the newest."""
    with closing(open_catalog(lake.readable_catalog())) as catalog:
        snapshot = newest_snapshot(catalog)
        return known if known is not None and known.snapshot == snapshot else _state(catalog, snapshot)


def state(connection: duckdb.DuckDBPyConnection, lake: str = "lake") -> LakeState:
    """Return the state of an attached lake as of the snapshot that a connection reads, without the changes of its transaction."""
    address, snapshot = connection.execute(
        f"SELECT path, id FROM duckdb_databases(), ducklake_current_snapshot('{lake}') WHERE database_name = '{lake}'"
    ).fetchone() or ("", 0)
    for scheme in _SCHEMES:
        address = address.removeprefix(scheme)
    with closing(open_catalog(Path(address))) as catalog:
        return _state(catalog, snapshot)


def row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the row count of every table, by name."""
    return {name: table.rows for name, table in state(connection).tables.items()}


def last_changes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return for each table the last snapshot that wrote or deleted rows of it, or created it."""
    return state(connection).last_changes


def ever_filled(connection: duckdb.DuckDBPyConnection, lake: str = "lake") -> set[str]:
    """Return the tables that ever had a row.

    All other tables are empty. DuckLake has no statistics of them, so a query of one takes three times as long.
    """
    return {name for name, table in state(connection, lake).tables.items() if table.was_filled}


def _state(catalog: sqlite3.Connection, snapshot: int) -> LakeState:
    rows = catalog.execute(tables.sql("ducklake.table_states"), {"snapshot": snapshot}).fetchall()
    readable = catalog.execute("SELECT snapshot_id FROM ducklake_snapshot WHERE snapshot_id <= ?", (snapshot,))
    return LakeState(
        snapshot,
        frozenset(int(each) for (each,) in readable),
        {name: TableState(count, last, shaped, bool(filled)) for name, count, last, shaped, filled in rows},
    )
