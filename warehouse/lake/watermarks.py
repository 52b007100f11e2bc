"""Watermarks: the snapshot up to which a derived table or a check has followed its sources, and the code that did it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import catalog, tables
from warehouse.lake.catalog import LakeState
from warehouse.lake.lake import Lake, scalar

WATERMARKS = CONTRACTS["registry.watermarks"]
_SCHEMA = {"key": pl.String, "snapshot": pl.Int64, "made_by": pl.String}


class Watermark(NamedTuple):
    """Hold the last snapshot that was followed, and the digest of the code that followed it."""

    snapshot: int
    made_by: str


class RunWatermarks:
    """Cache the watermarks of one run: read once, and written in one commit when the run ends.

    A watermark moves once its rows are committed. A killed run loses the move, which only costs another comparison of those
    rows.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.by_key: dict[str, Watermark] = {}
        self._in_transaction: dict[str, Watermark] = {}
        self._waiting: dict[str, Watermark] = {}
        self._state: LakeState | None = None
        if lake.exists:
            with lake.reading() as connection:
                self.by_key = read(connection)

    @property
    def state(self) -> LakeState:
        """Return the newest state of the lake, which is read once per snapshot. Nothing but the run writes meanwhile."""
        self._state = catalog.newest_state(self._lake, self._state)
        return self._state

    @property
    def progress(self) -> "Progress":
        """Return the progress of the run."""
        return Progress(self.by_key, self.state)

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield the connection of `Lake.writing`; calls of `move` in the block take effect if it commits."""
        self._in_transaction.clear()
        with self._lake.writing() as connection:
            yield connection
        self.settle(self._in_transaction)

    def move(self, key: str, watermark: Watermark) -> None:
        """Move a watermark together with the rows written in the transaction of `writing`."""
        self._in_transaction[key] = watermark

    def settle(self, watermarks: Mapping[str, Watermark]) -> None:
        """Move the watermarks of rows that are committed, or of checks."""
        self.by_key |= watermarks
        self._waiting |= watermarks

    def write(self) -> None:
        """Write the moved watermarks to the lake."""
        if self._waiting:
            with self._lake.writing() as connection:
                write(connection, self._waiting)
            self._waiting.clear()


class Progress(NamedTuple):
    """Hold the watermarks by key, and the state of the lake."""

    watermarks: Mapping[str, Watermark]
    state: LakeState

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> "Progress":
        """Return the progress as a connection sees it."""
        return cls(read(connection), catalog.state(connection))

    def changed(self, sources: Iterable[str], since: int) -> list[str]:
        """Return the sources that changed after a snapshot."""
        return [source for source in sources if self.state.last_changes.get(source, 0) > since]

    def is_current(self, key: str, sources: Iterable[str], made_by: str) -> bool:
        """Tell whether the table or check of a key has followed its sources to their last change, with this code."""
        watermark = self.watermarks.get(key)
        return watermark is not None and watermark.made_by == made_by and not self.changed(sources, watermark.snapshot)


def read(connection: duckdb.DuckDBPyConnection) -> dict[str, Watermark]:
    """Return every watermark by its key."""
    if not tables.exists(connection, WATERMARKS.table):
        return {}
    rows = connection.execute(f"SELECT key, snapshot, made_by FROM {WATERMARKS.table}").fetchall()
    return {key: Watermark(int(snapshot), made_by) for key, snapshot, made_by in rows}


def write(connection: duckdb.DuckDBPyConnection, watermarks: Mapping[str, Watermark]) -> None:
    """Upsert watermarks by key."""
    if not watermarks:
        return
    tables.ensure(connection, WATERMARKS)
    connection.register(
        "new_watermarks",
        pl.DataFrame([(key, *watermark) for key, watermark in watermarks.items()], _SCHEMA, orient="row"),
    )
    updated_count = scalar(
        connection,
        f"UPDATE {WATERMARKS.table} AS stored SET snapshot = new_watermarks.snapshot, made_by = new_watermarks.made_by, "
        f"{INPUT_HASH} = new_watermarks.made_by FROM new_watermarks WHERE stored.key = new_watermarks.key",
    )
    if updated_count < len(watermarks):
        connection.execute(
            f"INSERT INTO {WATERMARKS.table} BY NAME SELECT *, made_by AS {INPUT_HASH} FROM new_watermarks "
            f"WHERE key NOT IN (SELECT key FROM {WATERMARKS.table})"
        )
    connection.unregister("new_watermarks")


def lift(
    connection: duckdb.DuckDBPyConnection, sources: Callable[[str], Iterable[str]], expired: Collection[int]
) -> None:
    """Lift the watermarks at expiring snapshots to the next remaining one, if no source was written to in between.

    Any other watermark stays, and its table is compared in full next time.

    Args:
        connection: To the lake, in the transaction that expires the snapshots.
        sources: Returns the tables that a key follows.
        expired: The snapshots that expire.
    """
    remaining = [
        int(snapshot)
        for (snapshot,) in connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake')").fetchall()
        if snapshot not in expired
    ]
    progress, lifted = Progress.read(connection), {}
    for key, watermark in progress.watermarks.items():
        followed = tuple(sources(key))
        if watermark.snapshot in expired and followed and progress.is_current(key, followed, watermark.made_by):
            higher = min((each for each in remaining if each >= watermark.snapshot), default=None)
            if higher is not None:
                lifted[key] = watermark._replace(snapshot=higher)
    write(connection, lifted)
