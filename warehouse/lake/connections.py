"""A pool of open DuckDB databases with an attached lake.

Loading DuckDB's extensions and a lake's schema takes longer than most reads.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import duckdb

Connection = duckdb.DuckDBPyConnection

_MAX_IDLE = 6
"""Open databases in a process: for two homes a writer, a reader, and a reader of an earlier snapshot each."""


_NONE = ""


class Attachment(NamedTuple):
    """Identify the lake attached to a database.

    Attributes:
        settings: Memory in GB and threads of the database.
        lake: The path of the lake's catalog; empty for none.
        inode: The inode of the catalog, since another file may replace it.
        is_read_only: Whether it is attached read-only.
        snapshot: The snapshot to read; None: the newest state.
    """

    settings: tuple[float, int]
    lake: str
    inode: int
    is_read_only: bool
    snapshot: int | None


class Databases:
    """Lend out databases, each to one user at a time."""

    def __init__(self) -> None:
        self._idle: list[tuple[Attachment, Connection]] = []  # longest unused first
        self._lock = threading.Lock()

    @contextmanager
    def attached(
        self,
        attachment: Attachment,
        create: Callable[[], Connection],
        attach: Callable[[Connection], None],
        preferred: Attachment | None = None,
        *,
        is_sealed: bool = False,
    ) -> Iterator[Connection]:
        """Yield a cursor of a database with the lake attached as `lake`. Its transaction is rolled back unless committed.

        An idle database with `preferred` attached is taken first. The database returns to the pool, except after an error or as a
        sealed connection, whose user may have changed its configuration.
        """
        database = None if preferred is None else self._take(preferred)
        if database is not None and preferred is not None:
            attachment = preferred
        else:
            database = self._take(attachment) or self._reused(attachment, attach) or _create_attached(create, attach)
        try:
            with database.cursor() as connection, _interrupted_on_error(connection):
                yield connection
        except BaseException:
            database.close()
            raise
        if is_sealed:
            database.close()
        else:
            self._keep(attachment, database)

    def _take(self, attachment: Attachment) -> Connection | None:
        """Take an idle database with exactly this attachment from the pool."""
        with self._lock:
            for place, (idle, _) in enumerate(self._idle):
                if idle == attachment:
                    return self._idle.pop(place)[1]
        return None

    def detach(self, attachment: Attachment) -> None:
        """Detach a lake from its idle database, since its catalog is about to be moved."""
        database = self._take(attachment)
        if database is not None:
            database.execute("DETACH lake")
            self._keep(attachment._replace(lake=_NONE), database)

    def _reused(self, attachment: Attachment, attach: Callable[[Connection], None]) -> Connection | None:
        """Attach the lake to an idle database without one, or in a full pool to the least recently used one."""
        with self._lock:
            alike = [each for each in self._idle if each[0].settings == attachment.settings]
            free = [each for each in alike if each[0].lake == _NONE]
            if not alike or not (free or len(self._idle) >= _MAX_IDLE):
                return None
            previous, database = (free or alike)[0]
            self._idle.remove((previous, database))
        with suppress(duckdb.Error):  # the detach may fail if the database ran out of memory
            if previous.lake != _NONE:
                database.execute("DETACH lake")
            return _create_attached(lambda: database, attach)
        database.close()
        return None

    def _keep(self, attachment: Attachment, database: Connection) -> None:
        with self._lock:
            self._idle.append((attachment, database))
            surplus = self._idle[:-_MAX_IDLE]
            del self._idle[:-_MAX_IDLE]
        for _, each in surplus:
            each.close()


@contextmanager
def _interrupted_on_error(connection: Connection) -> Iterator[None]:
    """Interrupt DuckDB's threads after an error such as Ctrl-C, since closing would wait for them."""
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
