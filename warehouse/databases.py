"""Databases: DuckDB databases kept open, with the lake that was attached to them, from one use to the next."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

Connection = duckdb.DuckDBPyConnection

_KEPT = 4
"""How many stay open: a reader, a writer, and two readers of earlier snapshots."""


class Attachment(NamedTuple):
    """Say what is attached: which catalogue (by place and inode, as another may come to lie there), how, and as of when."""

    catalog: Path
    inode: int
    is_read_only: bool
    snapshot: int | None


class Databases:
    """Hand out databases that no one else uses meanwhile; to load extensions and a lake's schema takes longer than most reads."""

    def __init__(self) -> None:
        self._idle: list[tuple[Attachment, Connection]] = []  # longest unused first
        self._lock = threading.Lock()

    @contextmanager
    def attached(
        self, wanted: Attachment, attach: Callable[[Connection], None], create: Callable[[], Connection]
    ) -> Iterator[Connection]:
        """Yield a cursor of a database with the lake attached as `lake`. It is closed in the end, and its transaction undone.

        The database is kept, but not after an error, nor once its configuration was locked.

        Args:
            wanted: What is to be attached.
            attach: What attaches it.
            create: What opens a database, where none can be had.
        """
        database = self._take(wanted, attach, create)
        try:
            with database.cursor() as connection:
                yield connection
            locked = database.execute("SELECT current_setting('lock_configuration')").fetchone()
        except BaseException:
            database.close()
            raise
        if locked == (False,):
            self._put_back(wanted, database)
        else:
            database.close()

    def _take(
        self, wanted: Attachment, attach: Callable[[Connection], None], create: Callable[[], Connection]
    ) -> Connection:
        """Return a database to which the lake is attached already; else one that is kept for another; else a new one."""
        with self._lock:
            place = next((place for place, (kept, _) in enumerate(self._idle) if kept == wanted), None)
            if place is not None:
                return self._idle.pop(place)[1]
            database = self._idle.pop(0)[1] if len(self._idle) >= _KEPT else None
        try:
            if database is not None:
                database.execute("DETACH lake")
            else:
                database = create()
            attach(database)
        except BaseException:
            if database is not None:
                database.close()
            raise
        return database

    def _put_back(self, attachment: Attachment, database: Connection) -> None:
        with self._lock:
            self._idle.append((attachment, database))
            surplus = [self._idle.pop(0)[1] for _ in range(len(self._idle) - _KEPT)]
        for each in surplus:
            each.close()
