"""Event log: Dagster's SQLite event log, with connections that stay open between events.

A run of Stockroom writes some 400 events. Dagster opens and closes a connection for each event, or three for an event of an
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
_CHECKPOINT_EVERY_S = 1.0
_MAX_CONNECTIONS = 4


class PooledEventLog(SqliteEventLogStorage):
    """Write events over open connections.

    In SQLite's mode `synchronous = NORMAL` a power cut may lose the last events, and damages nothing else. A killed process
    loses none.
    """

    def __init__(self, base_dir: str) -> None:
        """Open the log in a directory."""
        self._connections: dict[str, sa.Connection] = {}
        self._checkpoint_times: dict[str, float] = {}
        self._schema_facts: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            connection = self._connections.pop(shard, None)
            if connection is None:
                connection = self._open_connection(shard)
            try:
                with connection.begin():
                    yield connection
                self._checkpoint_log(shard, connection)
            except BaseException:
                connection.close()
                raise
            self._connections[shard] = connection  # at the end: the first one is the least recently used
            if len(self._connections) > _MAX_CONNECTIONS:
                self._close(next(iter(self._connections)))

    def has_table(self, table_name: str) -> bool:
        """Tell whether the database has a table. Dagster checks this for every event."""
        return self._cached_if_true(f"table {table_name}", lambda: super(PooledEventLog, self).has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        return self._cached_if_true(
            f"column {column_name}",
            lambda: super(PooledEventLog, self)._has_asset_key_col_on_connection(conn, column_name),
        )

    def _cached_if_true(self, fact: str, is_true: Callable[[], bool]) -> bool:
        """Tell whether a fact about the schema is true, and cache it if so: no migration removes a table or column."""
        if fact not in self._schema_facts and is_true():
            self._schema_facts.add(fact)
        return fact in self._schema_facts

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        with self._db_lock:
            for shard in list(self._connections):
                self._close(shard)

    def _open_connection(self, shard: str) -> sa.Connection:
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _set_synchronous_normal)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine.connect()

    def _checkpoint_log(self, shard: str, connection: sa.Connection) -> None:
        """Checkpoint the write-ahead log now and then: Dagster's pages watch the database's own file for news."""
        if time.monotonic() - self._checkpoint_times.setdefault(shard, time.monotonic()) > _CHECKPOINT_EVERY_S:
            self._checkpoint_times[shard] = time.monotonic()
            with connection.begin():
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def _close(self, shard: str) -> None:
        connection = self._connections.pop(shard)
        connection.close()
        connection.engine.dispose()


class PooledStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage, with the event log of this module."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        """Open runs, events and schedules in a directory."""
        super().__init__(base_dir, inst_data)
        self._event_log_storage: SqliteEventLogStorage = PooledEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "PooledStorage":
        """Return the storage for these settings."""
        return cls(config_value["base_dir"], inst_data)


def _set_synchronous_normal(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
