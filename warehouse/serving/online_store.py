"""The online table: the features of releases, read by key in far less than a millisecond."""

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
_REFUSED = (  # by the operating system; the file is not damaged
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
)


class OnlineWrite(NamedTuple):
    """Count the rows that a write upserted and deleted."""

    upserted: int
    deleted: int


class OnlineTable:
    """Keep feature rows by key and by the lake snapshot from which they are valid, in one SQLite file.

    A row is a JSON array of values; the column names are stored once per snapshot. A changed row is added next to the old
    one, and a deleted row leaves a tombstone without values. Every snapshot that was written therefore stays readable, and
    the cost of a write is proportional to the changes. Threads may share a table; readers and a writer do not block each
    other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: _Reader | None = None
        self._columns: dict[tuple[Entity, int], tuple[str, ...]] = {}

    def holds(self, entity: Entity, snapshot: int) -> bool:
        """Tell whether the rows of a snapshot were written; a write is atomic."""
        return bool(self._columns_at(entity, snapshot))

    def write(self, lake: Lake, snapshot: int) -> OnlineWrite:
        """Write the lake's features as of a snapshot in one transaction; write nothing if the table has the snapshot.

        Where the lake can name them, only the rows changed since the newest written snapshot are read. The caller holds the
        run lock, and writes a snapshot before it publishes the release that names it.
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
        """Write a snapshot that may be older than others, then rewrite those in `later` that the write removes."""
        if all(self.holds(entity, snapshot) for entity in offline_store.ENTITIES):
            return
        later_snapshots = [each for each in sorted(set(later)) if each > snapshot and self.holds("product", each)]
        self._columns.clear()
        for each in (snapshot, *later_snapshots):
            self.write(lake, each)

    def prune(self, keep: Iterable[int], *, dry_run: bool = False) -> int:
        """Delete the rows that are visible in none of the snapshots to keep; return their number, also with `dry_run`.

        The newest snapshot stays too, since the next write is compared with it.
        """
        if not self.path.exists():
            return 0
        self._columns.clear()
        path = sqlite_copy(self.path) if dry_run and not _can_write(self.path) else self.path
        with self._describing_damage(), closing(_connect(path, "rw")) as database:
            database.execute("BEGIN IMMEDIATE")
            row_count = sum(_prune(database, entity, keep) for entity in offline_store.ENTITIES)
            database.execute("ROLLBACK" if dry_run else "COMMIT")
            if row_count and not dry_run:
                database.execute("VACUUM")
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return row_count

    def rows(self, entity: Entity, snapshot: int, keys: Sequence[str]) -> list[dict[str, Any] | None]:
        """Return the features of each key as of a written snapshot; None for an unknown key.

        Raises:
            WarehouseError: The snapshot was never written.
        """
        columns = self.columns(entity, snapshot)
        rows = self._read(
            f'SELECT (SELECT "values" FROM {entity} WHERE {entity}.key = requested.value AND since <= ? '
            "ORDER BY since DESC LIMIT 1) FROM json_each(?) AS requested ORDER BY requested.key",
            (snapshot, json.dumps(list(keys))),
        )
        return [None if values is None else dict(zip(columns, json.loads(values), strict=True)) for (values,) in rows]

    def columns(self, entity: Entity, snapshot: int) -> tuple[str, ...]:
        """Return the names of the features as of a written snapshot.

        Raises:
            WarehouseError: The snapshot was never written.
        """
        columns = self._columns_at(entity, snapshot)
        if not columns:
            raise WarehouseError(
                f"{self.path} has no features as of snapshot {snapshot}",
                f'write the features with: stockroom build; or query the lake: stockroom sql --as-of {snapshot} "SELECT …"',
            )
        return columns

    def count(self, entity: Entity, snapshot: int) -> int:
        """Return the number of keys as of a written snapshot."""
        ((rows,),) = self._read("SELECT rows FROM snapshots WHERE entity = ? AND snapshot = ?", (entity, snapshot))
        return int(rows)

    def near(self, entity: Entity, snapshot: int, key: str) -> list[str]:
        """Return a few keys as of a snapshot that resemble an unknown key, the most similar first."""

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
        """Return the column names of a snapshot; none if the snapshot was not written."""
        if (entity, snapshot) not in self._columns and self.path.exists():
            self._reader = None  # the file may have been replaced
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
                "remove the file, then write it again with: stockroom build"
                if is_damaged
                else "correct the cause, then run again"
            )
            raise WarehouseError(f"{self.path} cannot be used: {error}", hint) from error


class _Reader:
    """Keep a read connection open until no thread uses it any more."""

    def __init__(self, path: Path) -> None:
        # Opened for writing, since a reader must also create the shared files next to the database.
        can_write = _can_write(path)
        self._path, self._written_ns = path, None if can_write else path.stat().st_mtime_ns
        self._database = _connect(path, "rw") if can_write else _open_read_only(path)
        self._database.execute("PRAGMA query_only = ON")

    def read(self, sql: str, values: Sequence[object]) -> list[Any]:
        return self._database.execute(sql, values).fetchall()

    def is_outdated(self) -> bool:
        """Tell whether the owner of a file that we may not write has changed it; SQLite may not notice."""
        return self._written_ns is not None and self._path.stat().st_mtime_ns != self._written_ns

    def __del__(self) -> None:
        if hasattr(self, "_database"):
            self._database.close()


def _can_write(path: Path) -> bool:
    return is_writable(path.parent) and os.access(path, os.W_OK)


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database in a directory that may not be written.

    Without a write-ahead log the database is complete and has no writer. With a log, SQLite needs the log's index to read it
    and to respect its writer. If the index is missing, as in a backup, SQLite would have to create it, so a copy is opened.
    """
    log, index = (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "ro&immutable=1")
    return _connect(path, "ro") if index.exists() else _connect(sqlite_copy(path), "rw")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=True)


def _write(database: sqlite3.Connection, lake: Lake, entity: Entity, snapshot: int) -> OnlineWrite:
    # A lake that was reset reuses the numbers of its later snapshots, so their old rows must go.
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
    """Record a snapshot with the rows of the newest written one."""
    database.execute(
        "INSERT INTO snapshots SELECT entity, ?, columns, rows FROM snapshots WHERE entity = ? AND snapshot = ?",
        (snapshot, entity, _newest(database, entity)),
    )


def _newest(database: sqlite3.Connection, entity: Entity) -> int:
    """Return the newest written snapshot; -1 before the first."""
    ((newest,),) = database.execute("SELECT coalesce(max(snapshot), -1) FROM snapshots WHERE entity = ?", (entity,))
    return int(newest)


def _present_rows(database: sqlite3.Connection, entity: Entity, keys: pl.DataFrame | None) -> pl.DataFrame:
    """Return (key, input_hash) of the current rows, or of those with some keys."""
    among = "" if keys is None else "WHERE key IN (SELECT value FROM json_each(?)) "
    present = database.execute(  # SQLite takes the other columns from the row with the maximum
        f'SELECT key, hash FROM (SELECT key, hash, "values", max(since) FROM {entity} {among}GROUP BY key) '
        'WHERE "values" IS NOT NULL',
        () if keys is None else (json.dumps(keys["key"].to_list()),),
    ).fetchall()
    return pl.DataFrame(present, schema={"key": pl.String, "input_hash": pl.String}, orient="row")


def _prune(database: sqlite3.Connection, entity: Entity, keep: Iterable[int]) -> int:
    """Delete the snapshots not in `keep`, and the rows that are the newest of their key in no remaining snapshot."""
    snapshots = database.execute(
        "SELECT snapshot FROM snapshots WHERE entity = ? ORDER BY snapshot", (entity,)
    ).fetchall()
    kept_snapshots = sorted({snapshot for (snapshot,) in snapshots} & {*keep, *snapshots[-1]} if snapshots else ())
    database.execute(
        "DELETE FROM snapshots WHERE entity = ? AND snapshot NOT IN (SELECT value FROM json_each(?))",
        (entity, json.dumps(kept_snapshots)),
    )
    # A row is valid from `since` up to the next row of its key.
    row_count = database.execute(
        f"DELETE FROM {entity} WHERE (key, since) IN (SELECT key, since FROM "
        f"(SELECT key, since, lead(since) OVER (PARTITION BY key ORDER BY since) AS next FROM {entity}) "
        "WHERE NOT EXISTS (SELECT 1 FROM json_each(?) WHERE value >= since AND (next IS NULL OR value < next)))",
        (json.dumps(kept_snapshots),),
    ).rowcount
    return (
        row_count
        + database.execute(  # a tombstone without an older row is redundant
            f'DELETE FROM {entity} WHERE "values" IS NULL AND NOT EXISTS '
            f"(SELECT 1 FROM {entity} AS older WHERE older.key = {entity}.key AND older.since < {entity}.since)"
        ).rowcount
    )
