"""Paths: give any valid path to libraries that do not accept all characters.

Lance percent-encodes parts of its addresses, and so writes to another directory. DuckDB takes stars and brackets for
patterns, and refuses names that are not UTF-8. SQLAlchemy takes a question mark as the start of parameters.
"""

import atexit
import fcntl
import functools
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

from warehouse.errors import WarehouseError

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_ENDING = re.compile(r"(\.[A-Za-z0-9]+)+$")
_COMMON_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
_LONGEST_BYTES = 3800  # Linux allows 4,095, and paths inside a home are some 200 longer

_lock = threading.Lock()
_links: dict[Path, Path] = {}


def plain_path(path: Path) -> Path:
    """Return an absolute path of letters, digits and `_./-` only that leads to the same file or directory.

    A path with other characters is reached through a symbolic link in a private directory, which is removed when the process
    ends; until then child processes may use it too. Create a directory before its link is used: no library can create it
    through the link.

    Raises:
        WarehouseError: A link is needed, and no temporary directory has a plain path itself.
    """
    whole = path.absolute()
    if _PLAIN.fullmatch(str(whole)):
        return whole
    with _lock:
        if whole not in _links:
            ending = _ENDING.search(whole.name)  # DuckDB detects compression by it
            _links[whole] = private_folder() / f"link-{len(_links)}{ending.group() if ending else ''}"
        link = _links[whole]
        if not link.is_symlink():
            link.parent.mkdir(mode=0o700, exist_ok=True)
            link.symlink_to(whole)
        return link


@functools.cache
def private_folder() -> Path:
    """Return a private directory of this process, with a path that every library accepts. It is removed when the process ends.

    Raises:
        WarehouseError: No temporary directory can be used.
    """
    for place in (tempfile.gettempdir(), *_COMMON_PLACES):
        if _PLAIN.fullmatch(place) and is_writable(Path(place)):
            folder = tempfile.mkdtemp(prefix="stockroom-", dir=place)
            # systemd-tmpfiles, which cleans up temporary directories, skips a locked one.
            fcntl.flock(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_SH)
            atexit.register(remove_private_folder)
            return Path(folder)
    raise WarehouseError(
        f"no temporary directory can be used, not even {tempfile.gettempdir()}",
        "set TMPDIR to a writable directory whose path has only letters, digits and _./-",
    )


def remove_private_folder() -> None:
    """Remove the private directory of this process, if it has one: for a process that ends without its exit handlers."""
    if private_folder.cache_info().currsize:
        shutil.rmtree(private_folder(), ignore_errors=True)


def expanded(path: Path) -> Path:
    """Return a path with a leading `~` expanded to the user's home directory, in case no shell did."""
    return path.expanduser() if path.parts[:1] == ("~",) else path


def is_writable(directory: Path) -> bool:
    """Tell whether this process may create and replace files in an existing directory."""
    return os.access(directory, os.W_OK | os.X_OK)


def require_writable(directory: Path, other: str = "give another home: --home DIR") -> None:
    """Refuse a directory that cannot be written to or created; `other` tells how to choose another one.

    Raises:
        WarehouseError: The message names the nearest existing directory, or the file in its place.
    """
    nearest = directory.absolute()
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    which = "" if nearest == directory.absolute() else f", so that {directory} cannot be created"
    if not nearest.is_dir():
        raise WarehouseError(f"{nearest} is not a folder{which}", other)
    if not is_writable(nearest):
        is_mounted_read_only = bool(os.statvfs(nearest).f_flag & os.ST_RDONLY)
        hint = "the disk is mounted read-only:" if is_mounted_read_only else "run as a user who may write there, or"
        raise WarehouseError(f"{nearest} may not be written{which}", f"{hint} {other}")


def check_home(root: Path) -> None:
    """Refuse a path that cannot be a home: a file, a dangling link, or a name that the file system does not allow.

    Raises:
        WarehouseError: The message names the path and the reason.
    """
    absolute = root.absolute()
    name = check_text(str(absolute))
    if len(os.fsencode(absolute)) > _LONGEST_BYTES:
        raise WarehouseError(
            f"the home's path is longer than {_LONGEST_BYTES:,} bytes: {name[:80]}…", "use a shorter path: --home DIR"
        )
    try:
        is_directory, exists = absolute.is_dir(), os.path.lexists(absolute)
        blocking = next((parent for parent in absolute.parents if os.path.lexists(parent)), absolute)
        if exists and not is_directory:
            os.stat(absolute)  # a dangling or circular link fails here
            raise WarehouseError(f"{name} is a file, and a home is a directory", "give a directory: --home DIR")
        if not exists and not blocking.is_dir():
            raise WarehouseError(
                f"{name} cannot be a home: {blocking} is not a directory", "give another directory: --home DIR"
            )
        os.stat(absolute if exists else blocking)
        os.lstat(absolute)
    except FileNotFoundError:
        if os.path.islink(absolute):
            raise WarehouseError(
                f"{name} is a link to {os.readlink(absolute)}, which does not exist",
                "create that directory, or correct the link",
            ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WarehouseError(f"{name[:200]} cannot be a home: {reason}", "give another directory: --home DIR") from None
    if is_directory and not os.access(absolute, os.R_OK | os.X_OK):
        raise WarehouseError(
            f"{name} may not be read", "run as a user who may read the directory, or give another home: --home DIR"
        )


def check_text(name: str) -> str:
    """Return a name unchanged, or refuse one that is not UTF-8, since it cannot be stored, logged or printed.

    Raises:
        WarehouseError: The message shows the name with the invalid bytes escaped.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        escaped = os.fsencode(name).decode(errors="backslashreplace")
        raise WarehouseError(f"{escaped} is not UTF-8", "give the file or directory a name in UTF-8") from None
    return name
