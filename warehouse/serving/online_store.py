"""The online table: the features that releases were built with, read by key in far less than a millisecond."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl

from warehouse.errors import WarehouseError
from warehouse.features import offline_store
from warehouse.features.offline_store import Entity
from warehouse.lake.lake import Lake
from warehouse.paths import is_writable
from warehouse.serving.key_suggestions import near_keys
from warehouse.sqlite_copy import sqlite_copy

_ROWS = 'CREATE TABLE IF NOT EXISTS {} (key TEXT, since INTEGER, hash TEXT, "values" TEXT, PRIMARY KEY (key, since))'
_SNAPSHOTS = (
    "CREATE TABLE IF NOT EXISTS snapshots "
    "(entity TEXT, snapshot INTEGER, columns TEXT, rows INTEGER, PRIMARY KEY (entity, snapshot))"
)
_BUSY_S = 60.0
_REFUSED = (  # by the machine, which says nothing of the file
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
)


class OnlineWrite(NamedTuple):
    """Count the rows that a write brought in and took out."""

    upserted: int
    deleted: int


class OnlineTable:
    """Keep rows of features under a key and the lake's snapshot since which they hold, in one SQLite file.

    A row is a JSON array of values; the columns stand once a snapshot. A row that changes is written anew beside the old
    one and one that goes leaves a row without values, so that each snapshot that was written can be read for ever, and to
    write a snapshot costs what has changed. Threads may share a table; readers and a writer do not wait for one another.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: _Reader | None = None
        self._columns: dict[tuple[Entity, int], tuple[str, ...]] = {}

    def holds(self, entity: Entity, snapshot: int) -> bool:
        """Tell whether the rows of a snapshot were written: all of them, or none."""
        return bool(self._columns_at(entity, snapshot))

    def write(self, lake: Lake, snapshot: int) -> OnlineWrite:
        """Bring in the lake's features as of a snapshot, in one transaction; write nothing if they are there already.

        Only the rows are looked at that changed since the snapshot that was written last, where the lake can tell them. The
        caller holds the run lock, and writes a snapshot before it publishes the release that names it.
        """
        pending_entities = [entity for entity in offline_store.ENTITIES if not self.holds(entity, snapshot)]
        total = OnlineWrite(0, 0)
        if pending_entities:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._describing_damage(), closing(_connect(self.path, "rwc")) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("BEGIN IMMEDIATE")
                for table in (_SNAPSHOTS, *map(_ROWS.format, offline_store.ENTITIES)):
                    database.execute(f"{table} WITHOUT ROWID")
                for entity in pending_entities:
                    counts = _write(database, lake, entity, snapshot)
                    total = OnlineWrite(total.upserted + counts.upserted, total.deleted + counts.deleted)
                database.execute("COMMIT")
        return total

    def restore(self, lake: Lake, snapshot: int, later: Iterable[int]) -> None:
        """Bring in a snapshot that may be older than others, and with it those in `later` that it would else take away."""
        if all(self.holds(entity, snapshot) for entity in offline_store.ENTITIES):
            return
        later_snapshots = [each for each in sorted(set(later)) if each > snapshot and self.holds("product", each)]
        self._columns.clear()
        for each in (snapshot, *later_snapshots):
            self.write(lake, each)

    def forget(self, keep: Iterable[int], *, dry_run: bool = False) -> int:
        """Forget the rows that none of some snapshots shows; return how many went, or with `dry_run` how many would.

        The newest snapshot stays too: the next one is compared with it.
        """
        if not self.path.exists():
            return 0
        self._columns.clear()
        with self._describing_damage(), closing(_connect(self.path, "rw")) as database:
            database.execute("BEGIN IMMEDIATE")
            row_count = sum(_forget(database, entity, keep) for entity in offline_store.ENTITIES)
            database.execute("ROLLBACK" if dry_run else "COMMIT")
            if row_count and not dry_run:
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return row_count

    def rows(self, entity: Entity, snapshot: int, keys: Sequence[str]) -> list[dict[str, Any] | None]:
        """Return the features of each key as of a snapshot that was written; None for one that is not there.

        Raises:
            WarehouseError: The snapshot was never written.
        """
        columns = self._columns_at(entity, snapshot)
        if not columns:
            raise WarehouseError(
                f"{self.path} has no features as of snapshot {snapshot}",
                f'write them with: stockroom build; or ask the lake: stockroom sql --as-of {snapshot} "SELECT …"',
            )
        rows = self._read(
            f'SELECT (SELECT "values" FROM {entity} WHERE {entity}.key = asked.value AND since <= ? '
            "ORDER BY since DESC LIMIT 1) FROM json_each(?) AS asked ORDER BY asked.key",
            (snapshot, json.dumps(list(keys))),
        )
        return [None if values is None else dict(zip(columns, json.loads(values), strict=True)) for (values,) in rows]

    def count(self, entity: Entity, snapshot: int) -> int:
        """Return how many keys there are as of a snapshot that was written."""
        ((rows,),) = self._read("SELECT rows FROM snapshots WHERE entity = ? AND snapshot = ?", (entity, snapshot))
        return int(rows)

    def near(self, entity: Entity, snapshot: int, key: str) -> list[str]:
        """Return a few keys as of a snapshot that look like one that is not there, the most alike first."""

        def neighbors(bound: str, order: Literal["ASC", "DESC"], limit: int) -> list[str]:
            side = ">=" if order == "ASC" else "<"
            rows = self._read(
                f"SELECT DISTINCT key FROM {entity} WHERE key {side} ? ORDER BY key {order} LIMIT ?", (bound, limit)
            )
            return [each for (each,) in rows]

        candidates = near_keys(key.encode(errors="replace").decode(), neighbors)
        features = self.rows(entity, snapshot, candidates)
        return [each for each, row in zip(candidates, features, strict=True) if row is not None]

    def _columns_at(self, entity: Entity, snapshot: int) -> tuple[str, ...]:
        """Return the names of a snapshot's columns; none where it was not written."""
        if (entity, snapshot) not in self._columns and self.path.exists():
            self._reader = None  # the file may be another one by now
            if self._read("SELECT 1 FROM sqlite_master WHERE name = 'snapshots'", ()):
                query = "SELECT columns FROM snapshots WHERE entity = ? AND snapshot = ?"
                for (columns,) in self._read(query, (entity, snapshot)):
                    self._columns[entity, snapshot] = tuple(json.loads(columns))
        return self._columns.get((entity, snapshot), ())

    def _read(self, sql: str, values: Sequence[object]) -> list[Any]:
        with self._describing_damage():
            reader = self._reader
            if reader is None or reader.is_outdated():
                reader = self._reader = _Reader(self.path)
            return reader.read(sql, values)

    @contextmanager
    def _describing_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            is_damaged = error.sqlite_errorcode & 0xFF not in _REFUSED
            hint = (
                "remove it, then write it anew with: stockroom build" if is_damaged else "correct that, then run again"
            )
            raise WarehouseError(f"{self.path} cannot be used: {error}", hint) from error


class _Reader:
    """Hold a connection that reads, and close it once no thread uses it any more."""

    def __init__(self, path: Path) -> None:
        # Opened for writing: a reader too must make the files beside the database that readers and writer share.
        is_ours = is_writable(path.parent) and os.access(path, os.W_OK)
        self._path, self._written_ns = path, None if is_ours else path.stat().st_mtime_ns
        self._database = _connect(path, "rw") if is_ours else _open_read_only(path)
        self._database.execute("PRAGMA query_only = ON")

    def read(self, sql: str, values: Sequence[object]) -> list[Any]:
        return self._database.execute(sql, values).fetchall()

    def is_outdated(self) -> bool:
        """Tell whether a file that is not ours to write was written by its owner: SQLite may not notice."""
        return self._written_ns is not None and self._path.stat().st_mtime_ns != self._written_ns

    def __del__(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database beside which nothing may be written.

    Without a log no one writes to it, and all is in it. A log is read, and its writer heeded, by way of the file with the
    log's index; where that is missing, as in a backup, SQLite would have to make it.
    """
    log, index = (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "ro&immutable=1")
    return _connect(path, "ro") if index.exists() else _connect(sqlite_copy(path), "rw")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=True)


def _write(database: sqlite3.Connection, lake: Lake, entity: Entity, snapshot: int) -> OnlineWrite:
    # A lake that was set back makes its later snapshots anew: what they held before must not shine through.
    if _newest(database, entity) > snapshot:
        database.execute(f"DELETE FROM {entity} WHERE since > ?", (snapshot,))
        database.execute("DELETE FROM snapshots WHERE entity = ? AND snapshot > ?", (entity, snapshot))
    newest = _newest(database, entity)
    with lake.reading(snapshot) as connection:
        keys = offline_store.changed_keys(connection, entity, newest) if newest >= 0 else None
    is_narrow = keys is not None
    if keys is not None and keys.is_empty():
        _carry_on(database, entity, snapshot)
        return OnlineWrite(0, 0)
    current = _present_rows(database, entity, keys)
    columns: list[str] = []
    key_batches, upserted = [current.select("key").clear()], 0
    with lake.reading(snapshot) as connection:
        for names, batch in offline_store.encoded(connection, entity, keys, lake.settings.batch_rows):
            columns = names
            key_batches.append(batch.select("key"))
            new = batch.join(current, on=["key", "input_hash"], how="anti", maintain_order="left")
            database.executemany(
                f"INSERT OR REPLACE INTO {entity} VALUES (?, ?, ?, ?)",
                new.select("key", pl.lit(snapshot), "input_hash", "values").iter_rows(),
            )
            upserted += new.height
    desired = pl.concat(key_batches)
    deleted = current.join(desired, on="key", how="anti")
    tombstones = ((key, snapshot) for key in deleted["key"])
    database.executemany(f"INSERT OR REPLACE INTO {entity} VALUES (?, ?, NULL, NULL)", tombstones)
    total = desired.height
    if is_narrow:
        ((previous_total,),) = database.execute(
            "SELECT rows FROM snapshots WHERE entity = ? AND snapshot = ?", (entity, _newest(database, entity))
        )
        total += previous_total - current.height
    database.execute(
        "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", (entity, snapshot, json.dumps(columns), total)
    )
    return OnlineWrite(upserted, deleted.height)


def _carry_on(database: sqlite3.Connection, entity: Entity, snapshot: int) -> None:
    """Say of a snapshot that it has the rows of the one that was written last."""
    database.execute(
        "INSERT INTO snapshots SELECT entity, ?, columns, rows FROM snapshots WHERE entity = ? AND snapshot = ?",
        (snapshot, entity, _newest(database, entity)),
    )


def _newest(database: sqlite3.Connection, entity: Entity) -> int:
    """Return the newest snapshot that was written, -1 before the first."""
    ((newest,),) = database.execute("SELECT coalesce(max(snapshot), -1) FROM snapshots WHERE entity = ?", (entity,))
    return int(newest)


def _present_rows(database: sqlite3.Connection, entity: Entity, keys: pl.DataFrame | None) -> pl.DataFrame:
    """Return (key, input_hash) of the rows that are there, or of those under some keys."""
    among = "" if keys is None else "WHERE key IN (SELECT value FROM json_each(?)) "
    present = database.execute(  # SQLite takes the other columns from the row with the maximum
        f'SELECT key, hash FROM (SELECT key, hash, "values", max(since) FROM {entity} {among}GROUP BY key) '
        'WHERE "values" IS NOT NULL',
        () if keys is None else (json.dumps(keys["key"].to_list()),),
    ).fetchall()
    return pl.DataFrame(present, schema={"key": pl.String, "input_hash": pl.String}, orient="row")


def _forget(database: sqlite3.Connection, entity: Entity, keep: Iterable[int]) -> int:
    """Delete the snapshots that are not to be kept, and the rows that are the newest of their key in no snapshot left."""
    snapshots = database.execute(
        "SELECT snapshot FROM snapshots WHERE entity = ? ORDER BY snapshot", (entity,)
    ).fetchall()
    kept_snapshots = sorted({snapshot for (snapshot,) in snapshots} & {*keep, *snapshots[-1]} if snapshots else ())
    database.execute(
        "DELETE FROM snapshots WHERE entity = ? AND snapshot NOT IN (SELECT value FROM json_each(?))",
        (entity, json.dumps(kept_snapshots)),
    )
    # A row counts in the snapshots from `since` up to the next row of its key.
    row_count = database.execute(
        f"DELETE FROM {entity} WHERE (key, since) IN (SELECT key, since FROM "
        f"(SELECT key, since, lead(since) OVER (PARTITION BY key ORDER BY since) AS next FROM {entity}) "
        "WHERE NOT EXISTS (SELECT 1 FROM json_each(?) WHERE value >= since AND (next IS NULL OR value < next)))",
        (json.dumps(kept_snapshots),),
    ).rowcount
    return (
        row_count
        + database.execute(  # what says that a key is gone says nothing where no older row is left
            f'DELETE FROM {entity} WHERE "values" IS NULL AND NOT EXISTS '
            f"(SELECT 1 FROM {entity} AS older WHERE older.key = {entity}.key AND older.since < {entity}.since)"
        ).rowcount
    )
