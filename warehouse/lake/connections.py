"""Databases: DuckDB databases kept open, with the lake that was attached to them, from one use to the next.

To load DuckDB's extensions and a lake's schema takes longer than most reads do.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import duckdb

Connection = duckdb.DuckDBPyConnection

_KEPT = 6
"""How many stay open in a process: for a home and one beside it a writer, a reader, and a reader of an earlier snapshot."""


_NONE = ""


class Attachment(NamedTuple):
    """Say what is attached to a database.

    Attributes:
        settings: Memory in GB and threads of the database.
        lake: The path of the lake's catalog; empty for none.
        inode: That of the lake's catalog, as another file may come to lie in its place.
        is_read_only: Whether it is for reading alone.
        snapshot: As of when; None: as it now stands.
    """

    settings: tuple[float, int]
    lake: str
    inode: int
    is_read_only: bool
    snapshot: int | None


class Databases:
    """Hand out databases that no one else uses meanwhile."""

    def __init__(self) -> None:
        self._idle: list[tuple[Attachment, Connection]] = []  # longest unused first
        self._lock = threading.Lock()

    @contextmanager
    def attached(
        self,
        attachment: Attachment,
        create: Callable[[], Connection],
        attach: Callable[[Connection], None],
        rather: Attachment | None = None,
    ) -> Iterator[Connection]:
        """Yield a cursor of a database with the lake attached as `lake`. Its transaction is undone unless it was committed.

        A database with `rather` attached that stands idle serves as well. The database is kept for the next one to come, but
        not after an error, nor once its configuration was locked.
        """
        database = None if rather is None else self._take(rather)
        if database is not None and rather is not None:
            attachment = rather
        else:
            database = self._take(attachment) or self._reused(attachment, attach) or _create_attached(create, attach)
        try:
            with database.cursor() as connection, _interrupted_on_error(connection):
                yield connection
            locked = database.execute("SELECT current_setting('lock_configuration')").fetchone()
        except BaseException:
            database.close()
            raise
        if locked == (False,):
            self._keep(attachment, database)
        else:
            database.close()

    def _take(self, attachment: Attachment) -> Connection | None:
        """Return a database to which this very thing is attached."""
        with self._lock:
            for place, (idle, _) in enumerate(self._idle):
                if idle == attachment:
                    return self._idle.pop(place)[1]
        return None

    def detach(self, attachment: Attachment) -> None:
        """Detach a lake from the database that was kept with it, as its catalog is to be moved."""
        database = self._take(attachment)
        if database is not None:
            database.execute("DETACH lake")
            self._keep(attachment._replace(lake=_NONE), database)

    def _reused(self, attachment: Attachment, attach: Callable[[Connection], None]) -> Connection | None:
        """Return a database with the lake attached that had none, or where many are kept, the longest unused one."""
        with self._lock:
            alike = [each for each in self._idle if each[0].settings == attachment.settings]
            free = [each for each in alike if each[0].lake == _NONE]
            if not alike or not (free or len(self._idle) >= _KEPT):
                return None
            previous, database = (free or alike)[0]
            self._idle.remove((previous, database))
        with suppress(duckdb.Error):  # it may not leave the disk of a lake for which it ran out of memory
            if previous.lake != _NONE:
                database.execute("DETACH lake")
            return _create_attached(lambda: database, attach)
        database.close()
        return None

    def _keep(self, attachment: Attachment, database: Connection) -> None:
        with self._lock:
            self._idle.append((attachment, database))
            surplus = self._idle[:-_KEPT]
            del self._idle[:-_KEPT]
        for _, each in surplus:
            each.close()


@contextmanager
def _interrupted_on_error(connection: Connection) -> Iterator[None]:
    """Interrupt what DuckDB's threads still work on after an error, such as Ctrl-C: to close would wait for its end."""
    try:
        yield
    except BaseException:
        connection.interrupt()
        raise


def _create_attached(create: Callable[[], Connection], attach: Callable[[Connection], None]) -> Connection:
    database = create()
    try:
        attach(database)
    except BaseException:
        database.close()
        raise
    return database
