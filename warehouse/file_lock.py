"""File locks: one process at a time, with a name for whoever waits."""

import fcntl
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from warehouse.errors import LockedError
from warehouse.paths import require_writable

_POLL_S = 0.05
_LOG_AFTER_S = 1.0
_NAME_CHARS = 60
_LOG = logging.getLogger("stockroom")


@contextmanager
def exclusive_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel releases it when the process ends for any reason.

    The file names the process with the lock. A process that waits longer than a second logs that name once.

    Raises:
        LockedError: Another process still has the lock after `timeout_s` seconds.
        WarehouseError: The file may not be written.
    """
    require_writable(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    began, was_logged = time.monotonic(), False
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - began
                if waited > timeout_s:
                    raise LockedError(
                        f"{path} has been locked by another process for more than {timeout_s:g} s: {_holder(file)}",
                        "wait until the other process ends, then run again",
                    ) from None
                if waited > _LOG_AFTER_S and not was_logged:
                    was_logged = True
                    _LOG.warning("waiting at most %s s for %s, which holds %s", f"{timeout_s:g}", _holder(file), path)
                time.sleep(_POLL_S)
        file.truncate(0)
        file.write(_own_name())
        file.flush()
        yield


def _holder(file: TextIO) -> str:
    """Return the name of the process with the lock, as recorded in the file."""
    file.seek(0)
    return file.read().strip() or "another process"


def _own_name() -> str:
    program, *arguments = sys.argv
    name = Path(program).parent.name if program.endswith("__main__.py") else Path(program).name
    return f"process {os.getpid()} ({' '.join([name, *arguments])[:_NAME_CHARS].strip()})"
