"""Event log: Dagster's own in SQLite, with its connections kept open from one event to the next.

A run of this house writes some 400 events. Dagster opens and closes a connection for each, or three where it tells of an
asset, and waits for the disk each time. The files are the same, and the UI reads them while they are written.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy.pool import StaticPool

_BUSY_TIMEOUT_S = 30.0
_SHOW_EVERY_S = 1.0
_KEPT = 4


class KeptEventLog(SqliteEventLogStorage):
    """Write events over open connections.

    In SQLite's mode `synchronous = NORMAL` a power cut may take the last events with it, and harms nothing else; a killed
    process loses none.
    """

    def __init__(self, base_dir: str) -> None:
        """Open the log in a directory."""
        self._kept: dict[str, sa.Connection] = {}
        self._shown: dict[str, float] = {}
        self._present: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            connection = self._kept.pop(shard, None)
            if connection is None:
                connection = self._opened(shard)
            try:
                with connection.begin():
                    yield connection
                self._show(shard, connection)
            except BaseException:
                connection.close()
                raise
            self._kept[shard] = connection  # last of all: the first is the longest unused
            if len(self._kept) > _KEPT:
                self._close(next(iter(self._kept)))

    def has_table(self, table_name: str) -> bool:
        """Tell whether the database has a table, which Dagster asks anew for every event."""
        return self._stays_true(f"table {table_name}", lambda: super(KeptEventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        return self._stays_true(
            f"column {column_name}",
            lambda: super(KeptEventLog, self)._has_asset_key_col_on_connection(conn, column_name),
        )

    def _stays_true(self, what: str, is_true: Callable[[], bool]) -> bool:
        """Return what is asked about the database's schema; what it once had, no migration takes away."""
        if what not in self._present and is_true():
            self._present.add(what)
        return what in self._present

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        with self._db_lock:
            for shard in list(self._kept):
                self._close(shard)

    def _opened(self, shard: str) -> sa.Connection:
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _be_normal)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine.connect()

    def _show(self, shard: str, connection: sa.Connection) -> None:
        """Bring what was written into the database's own file now and then: Dagster's pages watch that one for news."""
        if time.monotonic() - self._shown.setdefault(shard, time.monotonic()) > _SHOW_EVERY_S:
            self._shown[shard] = time.monotonic()
            with connection.begin():
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def _close(self, shard: str) -> None:
        connection = self._kept.pop(shard)
        connection.close()
        connection.engine.dispose()


class KeptStorage(DagsterSqliteStorage):
    """Dagster's storage in SQLite, with that event log."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        """Open runs, events and schedules in a directory."""
        super().__init__(base_dir, inst_data)
        self._event_log_storage: SqliteEventLogStorage = KeptEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "KeptStorage":
        """Return the storage that the settings ask for."""
        return cls(config_value["base_dir"], inst_data)


def _be_normal(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
