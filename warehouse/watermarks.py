"""Watermarks: up to which snapshot of the lake a derived table or a check has followed its sources, and by which code."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse import change_feed, tables
from warehouse.contracts.registry import CONTRACTS

WATERMARKS = CONTRACTS["registry.watermarks"]


class Watermark(NamedTuple):
    """Hold the snapshot that was followed last, and the digest of the code that did it."""

    snapshot: int
    made_by: str


class Progress(NamedTuple):
    """Hold every watermark by its key, and the last snapshot that changed each table, as a connection sees them."""

    marks: Mapping[str, Watermark]
    last_changes: Mapping[str, int]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> "Progress":
        """Return the progress as it now stands."""
        return cls(read(connection), change_feed.last_changes(connection))

    def changed(self, sources: Iterable[str], since: int) -> list[str]:
        """Return those of some tables that changed after a snapshot."""
        return [source for source in sources if self.last_changes.get(source, 0) > since]

    def is_current(self, key: str, sources: Iterable[str], made_by: str) -> bool:
        """Tell whether what a key stands for has followed its sources to their last change, by this code."""
        mark = self.marks.get(key)
        return mark is not None and mark.made_by == made_by and not self.changed(sources, mark.snapshot)


def read(connection: duckdb.DuckDBPyConnection) -> dict[str, Watermark]:
    """Return every watermark by its key."""
    if not tables.exists(connection, WATERMARKS.table):
        return {}
    rows = connection.execute(f"SELECT key, snapshot, made_by FROM {WATERMARKS.table}").fetchall()
    return {key: Watermark(int(snapshot), made_by) for key, snapshot, made_by in rows}


def write(connection: duckdb.DuckDBPyConnection, marks: Mapping[str, Watermark]) -> None:
    """Put watermarks in the place of those of the same keys."""
    if not marks:
        return
    rows = [{"key": key, "snapshot": mark.snapshot, "made_by": mark.made_by} for key, mark in marks.items()]
    connection.register("marked_keys", pl.DataFrame({"key": list(marks)}))
    tables.refresh_from(connection, WATERMARKS, pl.DataFrame(rows), "key IN (FROM marked_keys)")
    connection.unregister("marked_keys")


def lift(
    connection: duckdb.DuckDBPyConnection, sources: Callable[[str], Iterable[str]], expired: Collection[int]
) -> None:
    """Lift the watermarks at snapshots that are about to expire to the next one that stays, where that is as true.

    It is where no source was written to in between. Any other watermark stays, and its table is compared whole next time.

    Args:
        connection: To the lake, in the transaction that lets the snapshots expire.
        sources: Returns the tables that a key follows.
        expired: The snapshots that expire.
    """
    kept = [
        int(snapshot)
        for (snapshot,) in connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake')").fetchall()
        if snapshot not in expired
    ]
    progress, lifted = Progress.read(connection), {}
    for key, mark in progress.marks.items():
        followed = tuple(sources(key))
        if mark.snapshot in expired and followed and progress.is_current(key, followed, mark.made_by):
            higher = min((each for each in kept if each >= mark.snapshot), default=None)
            if higher is not None:
                lifted[key] = mark._replace(snapshot=higher)
    write(connection, lifted)
