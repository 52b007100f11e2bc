"""The locks of a home: for runs, the files of incoming/, the server of the UI, and the service's process for deltas."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.file_lock import exclusive_lock
from warehouse.home import Home


@contextmanager
def run_lock(home: Home, timeout_s: float | None = None) -> Iterator[None]:
    """Hold the home's run lock, waiting for another run up to `timeout_s` seconds, by default as the settings say.

    Raises:
        WarehouseError: Another run still holds the lock after that time.
    """
    with exclusive_lock(home.root / "run.lock", home.settings.lock_timeout_s if timeout_s is None else timeout_s):
        home.upgrade()
        yield


def is_running(home: Home) -> bool:
    """Tell whether a run holds the home's run lock now. Nothing is written."""
    return _is_held(home.root / "run.lock")


@contextmanager
def applier_lock(home: Home, timeout_s: float) -> Iterator[None]:
    """Hold the lock of the one process that applies posted deltas.

    Raises:
        LockedError: Another process still holds the lock after `timeout_s` seconds.
    """
    with exclusive_lock(home.root / "applier.lock", timeout_s):
        yield


def has_applier(home: Home) -> bool:
    """Tell whether a process applies posted deltas now. Nothing is written."""
    return _is_held(home.root / "applier.lock")


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def in_progress(home: Home) -> Iterator[None]:
    """Mark the home until the run has ended. A mark without a run shows that its process was killed.

    The caller holds the run lock.
    """
    mark = _mark(home)
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def was_killed(home: Home) -> bool:
    """Tell whether the last run of the command line was killed before its end. No run is in progress."""
    return _mark(home).exists()


def _mark(home: Home) -> Path:
    return home.root / "run.in_progress"


@contextmanager
def incoming_lock(home: Home, timeout_s: float) -> Iterator[None]:
    """Hold the lock for applying the files of incoming/, so that one change starts one run.

    Raises:
        WarehouseError: Another process still holds the lock after `timeout_s` seconds.
    """
    with exclusive_lock(home.root / "incoming.lock", timeout_s):
        yield


@contextmanager
def server_lock(home: Home) -> Iterator[None]:
    """Hold the lock of the one server that a home may have.

    Raises:
        WarehouseError: A server runs already.
    """
    with exclusive_lock(home.root / "ui.lock", timeout_s=0):
        yield
