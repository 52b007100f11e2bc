"""The release follower: every request gets one release whole, and a new one is opened beside the old one."""

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from models.errors import ModelError
from models.settings import EncoderSettings
from orchestration.serving.lookup import Lookup
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.serving.release_log import Release

_WARM_QUERY = "warm up"
_LOG = logging.getLogger("stockroom.service")


@dataclass(frozen=True)
class Served:
    """Hold what answers from one release."""

    release: Release
    searcher: Searcher
    lookup: Lookup


class ReleaseFollower:
    """Follow the live release of a home. Threads may share it.

    A request takes `served`, or `searcher` and `lookup`, once, and keeps it to its end; what it took stays at its release.

    Raises:
        WarehouseError: There is no release yet, or a part of it was deleted.
    """

    def __init__(self, home: Home, encoder: EncoderSettings) -> None:
        self.home = home
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        release = home.releases.require()
        self._served = Served(release, Searcher(home, encoder, release), Lookup(home, release))
        self._refused: int | None = None
        self._served.searcher.search(_WARM_QUERY, 1)

    def served(self) -> Served:
        """Return what answers from the newest open release, without waiting."""
        return self._served

    def searcher(self) -> Searcher:
        """Return the searcher of the newest open release, without waiting."""
        return self._served.searcher

    def lookup(self) -> Lookup:
        """Return the lookup of the newest open release, without waiting."""
        return self._served.lookup

    def age_s(self) -> float:
        """Return the time since the served release was published, in seconds."""
        return (datetime.now(UTC) - self._served.release.published_at).total_seconds()

    def refresh(self) -> Served:
        """Open the live release if it is another one, then serve it; requests that took the old one keep it.

        Raises:
            WarehouseError: The release cannot be opened; the old one stays.
            ModelError: The same, of its model or ranker.
        """
        with self._lock:
            release, served = self.home.releases.require(), self._served
            if release.release != served.release.release:
                searcher = served.searcher.beside(release)
                searcher.search(_WARM_QUERY, 1)  # opens its tables before the first request needs them
                self._served = Served(release, searcher, Lookup(self.home, release))
            return self._served

    def start(self, every_s: float) -> None:
        """Look for a new release every so many seconds, in a thread of its own."""
        self._thread = threading.Thread(target=self._follow, args=(every_s,), name="releases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread of `start`."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, every_s: float) -> None:
        last_stamp: int | None = None
        while not self._stop.wait(every_s):
            stamp = self.home.releases.stamp()  # a look at the table itself takes some ten milliseconds
            if stamp == last_stamp:
                continue
            try:
                self.refresh()
                self._refused, last_stamp = None, stamp
            except (WarehouseError, ModelError, OSError, RuntimeError) as error:
                if self._refused != self._served.release.release:  # once for each release that stays
                    self._refused = self._served.release.release
                    _LOG.error("release %s stays: the newest cannot be opened: %s", self._refused, error)
