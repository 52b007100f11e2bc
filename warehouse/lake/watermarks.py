"""Watermarks: up to which snapshot of the lake a derived table or a check has followed its sources, and by which code."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import change_feed, tables
from warehouse.lake.lake import Lake, scalar, snapshot_id

WATERMARKS = CONTRACTS["registry.watermarks"]
_SCHEMA = {"key": pl.String, "snapshot": pl.Int64, "made_by": pl.String}


class Watermark(NamedTuple):
    """Hold the snapshot that was followed last, and the digest of the code that did it."""

    snapshot: int
    made_by: str


class RunMarks:
    """Hold the watermarks as one run sees them, read once, and write those that moved in one commit when the run ends.

    A watermark counts as moved once the rows that it speaks of are committed. One that is lost with a killed run lags behind
    its rows, which costs another look at them and nothing else.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.known: dict[str, Watermark] = {}
        self._in_transaction: dict[str, Watermark] = {}
        self._waiting: dict[str, Watermark] = {}
        self._seen: tuple[int, Mapping[str, int]] = (-1, {})
        if lake.exists:
            with lake.reading() as connection:
                self.known = read(connection)

    def progress(self, connection: duckdb.DuckDBPyConnection) -> "Progress":
        """Return the progress as a connection sees it; what changed each table last is read once a snapshot."""
        snapshot = snapshot_id(connection)
        if snapshot != self._seen[0]:
            self._seen = snapshot, change_feed.last_changes(connection)
        return Progress(self.known, self._seen[1])

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield what `Lake.writing` does; the watermarks that `move` is told of meanwhile count if it is committed."""
        self._in_transaction.clear()
        with self._lake.writing() as connection:
            yield connection
        self.settle(self._in_transaction)

    def move(self, key: str, mark: Watermark) -> None:
        """Move a watermark with rows that are being written in the transaction of `writing`."""
        self._in_transaction[key] = mark

    def settle(self, marks: Mapping[str, Watermark]) -> None:
        """Move watermarks of what is committed, or was only looked at."""
        self.known |= marks
        self._waiting |= marks

    def write(self) -> None:
        """Write those that moved into the lake."""
        if self._waiting:
            with self._lake.writing() as connection:
                write(connection, self._waiting)
            self._waiting.clear()


class Progress(NamedTuple):
    """Hold every watermark by its key, and the last snapshot that changed each table, as a connection sees them."""

    marks: Mapping[str, Watermark]
    last_changes: Mapping[str, int]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, marks: RunMarks | None = None) -> "Progress":
        """Return the progress as it now stands; `marks` are the watermarks where a run has read them."""
        return marks.progress(connection) if marks else cls(read(connection), change_feed.last_changes(connection))

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
    tables.ensure(connection, WATERMARKS)
    connection.register("new_marks", pl.DataFrame([(key, *mark) for key, mark in marks.items()], _SCHEMA, orient="row"))
    updated_count = scalar(
        connection,
        f"UPDATE {WATERMARKS.table} AS marks SET snapshot = new_marks.snapshot, made_by = new_marks.made_by, "
        f"{INPUT_HASH} = new_marks.made_by FROM new_marks WHERE marks.key = new_marks.key",
    )
    if updated_count < len(marks):
        connection.execute(
            f"INSERT INTO {WATERMARKS.table} BY NAME SELECT *, made_by AS {INPUT_HASH} FROM new_marks "
            f"WHERE key NOT IN (SELECT key FROM {WATERMARKS.table})"
        )
    connection.unregister("new_marks")


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
    remaining = [
        int(snapshot)
        for (snapshot,) in connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake')").fetchall()
        if snapshot not in expired
    ]
    progress, lifted = Progress.read(connection), {}
    for key, mark in progress.marks.items():
        followed = tuple(sources(key))
        if mark.snapshot in expired and followed and progress.is_current(key, followed, mark.made_by):
            higher = min((each for each in remaining if each >= mark.snapshot), default=None)
            if higher is not None:
                lifted[key] = mark._replace(snapshot=higher)
    write(connection, lifted)
