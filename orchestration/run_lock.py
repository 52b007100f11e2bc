"""The run lock: one build or apply at a time in a home, so that none slips between another's raw and features."""

from collections.abc import Iterator
from contextlib import contextmanager

from warehouse.home import Home
from warehouse.lake import exclusive_lock


@contextmanager
def run_lock(home: Home, timeout_s: float | None = None) -> Iterator[None]:
    """Hold the home's run lock, waiting for the run that holds it: `timeout_s` seconds, or as the settings say.

    Raises:
        WarehouseError: Another run still held it then.
    """
    with exclusive_lock(home.root / "run.lock", home.settings.lock_timeout_s if timeout_s is None else timeout_s):
        yield
