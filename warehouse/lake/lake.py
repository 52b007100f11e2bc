"""The lake: DuckLake tables in parquet files under one folder, with snapshots and a catalog in SQLite."""

import functools
import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseError
from warehouse.file_lock import exclusive_lock
from warehouse.lake.connections import Attachment, Databases
from warehouse.paths import is_writable, plain_path, private_folder
from warehouse.settings import WarehouseSettings
from warehouse.sqlite_copy import sqlite_copy

_EXTENSIONS = ("sqlite_scanner", "ducklake")
_MAX_SNAPSHOT = 2**63 - 1
_BUSY_S = 60.0
WIDE_STREAM = "SET streaming_buffer_size = '64MB'"
"""Lets DuckDB's threads read ahead while the caller processes a batch; with the default buffer they soon wait for it."""
_DATABASES = Databases()


class Lake:
    """Open the lake for reading (concurrently, without waiting) or for writing (one writer at a time)."""

    def __init__(self, root: Path, settings: WarehouseSettings | None = None) -> None:
        self.root = root
        self.settings = settings or WarehouseSettings()
        self.catalog = root / "catalog.sqlite"
        self.data = root / "data"
        self.is_to_be_written = False
        """Whether this process is about to write: then its readers share the database that it writes with."""

    @property
    def exists(self) -> bool:
        """Tell whether the lake exists; its catalog is created atomically."""
        return self.catalog.exists()

    def require(self) -> None:
        """Refuse a missing lake.

        Raises:
            WarehouseError: The lake does not exist.
        """
        if not self.exists:
            raise WarehouseError(f"no data in {self.root.parent}", "ingest data with: stockroom build --raw DIR")

    @contextmanager
    def reading(self, snapshot: int | None = None, *, is_sealed: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a read-only connection to the newest state, or to the state as of `snapshot`.

        All its statements see one state, whatever is written meanwhile. A sealed connection is for statements from users: it
        has its own database, with the lake attached read-only.

        Raises:
            WarehouseError: The lake is empty, or has no such snapshot.
        """
        self.require()
        if not is_sealed and snapshot is not None and snapshot == self.snapshot():
            with self._attached(read_only=True) as connection:
                if snapshot_id(connection) == snapshot:  # still, now that its transaction has begun
                    yield connection
                    return
        with self._attached(read_only=True, snapshot=snapshot, is_sealed=is_sealed) as connection:
            yield connection

    @contextmanager
    def comparing(self, before: int, after: int) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a read-only connection to the state as of `after`, with the state as of `before` attached as `earlier`.

        Raises:
            WarehouseError: The lake is empty, or has no such snapshot.
        """
        with self.reading(after) as connection:
            # Within the transaction, whose end undoes it.
            attach(connection, self.readable_catalog(), self.data, "READ_ONLY", snapshot=before, name="earlier")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection in one transaction, which is committed at the end or rolled back on any error.

        An exclusive lock covers the whole transaction, since concurrent DuckLake writers corrupt catalogs. A transaction
        without changes writes no snapshot.
        """
        with exclusive_lock(self.root / "write.lock", self.settings.lock_timeout_s):
            self.data.mkdir(exist_ok=True)
            if not self.exists:
                self._create()
            with self._attached() as connection:
                try:
                    yield connection
                    connection.commit()
                except BaseException:
                    connection.interrupt()  # else the rollback waits for what DuckDB's threads still work on
                    with suppress(duckdb.TransactionException):  # a commit that failed has ended the transaction
                        connection.rollback()
                    raise

    def snapshot(self) -> int:
        """Return the id of the newest snapshot; 0 for an empty lake."""
        if not self.exists:
            return 0
        with closing(open_catalog(self.readable_catalog())) as catalog:
            return newest_snapshot(catalog)

    def scratch(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with the lake's settings and nothing attached, for work on other files."""
        connection = connect(*self._limits)
        self._spill_here(connection)
        return connection

    @property
    def _limits(self) -> tuple[float, int]:
        return self.settings.memory_gb, self.settings.threads

    def _spill_here(self, connection: duckdb.DuckDBPyConnection) -> None:
        folder = plain_path(self.root) / "tmp" if is_writable(self.root) else private_folder() / "tmp"
        connection.execute(f"SET temp_directory = {quote(str(folder))}")

    @contextmanager
    def _attached(
        self, *, read_only: bool = False, snapshot: int | None = None, is_sealed: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection to the lake in a transaction, from a database without other users.

        Unless the connection is sealed, a writable database is reused for reading, since it has already loaded the lake's schema.
        """
        catalog = self.readable_catalog() if read_only else self.catalog
        inode = catalog.stat().st_ino
        attachment = Attachment(self._limits, str(self.catalog.absolute()), inode, read_only, snapshot)
        shared = None if snapshot is not None or is_sealed else attachment._replace(is_read_only=False)
        if shared is not None and self.is_to_be_written:
            attachment = shared

        def attach_here(database: duckdb.DuckDBPyConnection) -> None:
            self._spill_here(database)
            options = ("READ_ONLY",) if attachment.is_read_only else ()
            attach(database, catalog, self.data, *options, snapshot=snapshot)

        lent = _DATABASES.attached(attachment, lambda: connect(*self._limits), attach_here, shared, is_sealed=is_sealed)
        with lent as connection:
            connection.execute(f"BEGIN TRANSACTION{' READ ONLY' if read_only and not is_sealed else ''}")
            connection.execute("USE lake")
            yield connection

    def readable_catalog(self) -> Path:
        """Return the catalog, or a copy if the directory is read-only: even a reader of SQLite creates files next to it."""
        can_write = is_writable(self.root) and os.access(self.catalog, os.W_OK)
        return self.catalog if can_write else sqlite_copy(self.catalog)

    def _create(self) -> None:
        """Create the catalog under another name and rename it, so that a killed process leaves no partial one."""
        draft = self.root / "draft.sqlite"
        for leftover in self.root.glob(f"{draft.name}*"):
            leftover.unlink()
        attachment = Attachment(self._limits, str(self.catalog.absolute()), 0, is_read_only=False, snapshot=None)
        with _DATABASES.attached(attachment, lambda: connect(*self._limits), lambda it: attach(it, draft, self.data)):
            pass
        _DATABASES.detach(attachment)
        draft.rename(self.catalog)


def connect(memory_gb: float, threads: int = 0, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a new in-memory database. Call `attach` to open a lake.

    Args:
        memory_gb: Memory that the database may use, in gigabytes.
        threads: Number of threads; 0 means one per core.
        spill: The folder for what does not fit into memory; None: `.tmp` in the working directory.
    """
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute(f"SET memory_limit = '{memory_gb}GB'")
    if spill is not None:
        connection.execute(f"SET temp_directory = {quote(str(plain_path(spill)))}")
    # GLOBAL, since cursors do not inherit session settings.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    # DuckDB underestimates frames and tables of the current transaction, and would compare every point with every event.
    connection.execute("SET GLOBAL asof_loop_join_threshold = 0")
    if threads:
        connection.execute(f"SET threads = {threads}")
    return connection


def attach(
    connection: duckdb.DuckDBPyConnection,
    catalog: Path,
    data: Path,
    *options: str,
    snapshot: int | None = None,
    name: str = "lake",
) -> None:
    """Attach a lake under a name, with its files in `data`, whatever path the catalog records.

    Raises:
        WarehouseError: The lake has no such snapshot.
    """
    for extension in _EXTENSIONS:
        connection.execute(f"LOAD {quote(_extension(extension))}")
    if snapshot is not None:
        if not 0 <= snapshot <= _MAX_SNAPSHOT:
            raise _no_snapshot(snapshot)
        options = (*options, f"SNAPSHOT_VERSION {snapshot}")
    fixed = (
        f"DATA_PATH {quote(f'{plain_path(data)}/')}",
        "OVERRIDE_DATA_PATH true",  # a copied home would otherwise read the old one
        "META_JOURNAL_MODE 'WAL'",
        f"META_BUSY_TIMEOUT {_BUSY_S * 1000:.0f}",
        "DATA_INLINING_ROW_LIMIT 0",
    )
    try:
        connection.execute(
            f"ATTACH {quote(f'ducklake:sqlite:{plain_path(catalog)}')} AS {name} ({', '.join((*options, *fixed))})"
        )
    except duckdb.Error as error:
        if snapshot is not None and "No snapshot found" in str(error):
            raise _no_snapshot(snapshot) from error
        raise


def open_catalog(path: Path) -> sqlite3.Connection:
    """Open the SQLite file of a lake's catalog, for a query that would take ten times as long through DuckDB."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=_BUSY_S, uri=True)


def newest_snapshot(catalog: sqlite3.Connection) -> int:
    """Return the newest snapshot in the SQLite file of a lake's catalog."""
    ((newest,),) = catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot")
    return int(newest)


def snapshot_id(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the newest snapshot that the connection sees."""
    return int(scalar(connection, "SELECT id FROM ducklake_current_snapshot('lake')"))


def scalar(connection: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> int:
    """Return the single integer in a query's result.

    Raises:
        WarehouseError: The result has no row.
    """
    row = connection.execute(sql, parameters).fetchone()
    if row is None:
        raise WarehouseError(f"the query returned no row: {sql}", "write a query that returns one integer")
    return int(row[0])


def quote(text: str) -> str:
    """Return `text` as an SQL string literal, for statements that take no bound values."""
    return "'" + text.replace("'", "''") + "'"


def _no_snapshot(snapshot: int) -> WarehouseError:
    return WarehouseError(f"the lake has no snapshot {snapshot}", "list the snapshots with: stockroom snapshots")


@functools.cache
def _extension(name: str) -> str:
    """Return the path of an extension in its package from PyPI."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is not None and spec.submodule_search_locations:
        path = next(Path(spec.submodule_search_locations[0]).rglob(f"{name}.duckdb_extension"), None)
        if path is not None:
            return str(path)
    raise WarehouseError(
        f"the DuckDB extension {name} is not installed",
        f"install the package duckdb-extension-{name.replace('_', '-')}",
    )
