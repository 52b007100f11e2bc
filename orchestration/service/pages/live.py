"""What the pages read from: the home, and a searcher and a lookup that are open."""

from typing import Protocol

from orchestration.serving.lookup import Lookup
from orchestration.serving.searcher import Searcher
from warehouse.home import Home


class Live(Protocol):
    """Give out the open home, and the searcher and the lookup of the release that is live now.

    A page takes each of them once, so that it shows one release from its first line to its last.
    """

    @property
    def home(self) -> Home:
        """Return the open home."""

    def searcher(self) -> Searcher:
        """Return a searcher that keeps its release.

        Raises:
            WarehouseError: There is no release.
        """

    def lookup(self) -> Lookup:
        """Return a lookup that keeps its release.

        Raises:
            WarehouseError: There is no release.
        """
