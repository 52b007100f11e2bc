"""Copies of SQLite databases, for read-only directories in which SQLite cannot create the shared files it needs to read."""

import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from warehouse.errors import WarehouseError
from warehouse.paths import private_folder

_ATTEMPTS = 20
_MAX_COPIES = 8  # an older copy may still have readers

_lock = threading.Lock()
_copies: dict[tuple[Path, object], Path] = {}


def sqlite_copy(database: Path) -> Path:
    """Return a copy of a database in its current state; the last copy is reused if the database is unchanged.

    The copy includes the write-ahead log. It is removed when the process ends.

    Raises:
        WarehouseError: The database changed during each attempt to copy it.
    """
    with _lock:
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):  # its last user removed the log meanwhile
                state = _state(database)
                if (database, state) in _copies:
                    return _copies[database, state]
                copy = Path(tempfile.mkdtemp(dir=private_folder())) / "copy.sqlite"
                for source in _files(database):
                    shutil.copyfile(source, f"{copy}{source.name.removeprefix(database.name)}")
                if _state(database) == state:
                    _copies[database, state] = copy
                    for key in list(_copies)[:-_MAX_COPIES]:
                        shutil.rmtree(_copies.pop(key).parent)
                    return copy
    raise WarehouseError(
        f"{database} changed during every attempt to copy it, and you may not write to it", "try again later"
    )


def _files(database: Path) -> list[Path]:
    """Return the database and its write-ahead log, if there is one."""
    return [path for path in (database, database.with_name(f"{database.name}-wal")) if path.exists()]


def _state(database: Path) -> tuple[tuple[int, int, int], ...]:
    """Return the inode, size and time of the files, which change with every write."""
    stats = [path.stat() for path in _files(database)]
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in stats)
