"""The reindex: rebuild the indexes of the live release beside searches and runs, and publish them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.instance.locks import run_lock
from warehouse.home import Home
from warehouse.operations.reindexing import Announce, make_indexes, publish_newest

_NOTE = "reindex: release {}, with every row in its indexes"


@dataclass(frozen=True)
class ReindexReport:
    """Report a reindex: the products that were outside each index, and the release that has them now.

    `release` is the live release, `new_release` tells whether the reindex published it. `changed` tells whether a table has a
    new version, which the next run publishes if the reindex could not: the live release is a rollback, or a run is to be
    completed.
    """

    vectors: int
    texts: int
    changed: bool
    release: int
    new_release: bool


def reindex(home: Home, announce: Announce) -> ReindexReport:
    """Take all rows into the vector index and the full-text index, and publish a release of the same rows.

    Searches and runs go on meanwhile; the run lock is held for the publication alone. If killed, a reindex leaves the live
    release as it is. The release that another run published meanwhile stays, with the indexes that it found.

    Raises:
        WarehouseError: There is no data or no release, or another process makes an index for longer than a writer may wait.
    """
    home.lake.require()
    before = _newest(home)
    outside = make_indexes(home, announce)
    changed = _newest(home) != before
    release = None
    if changed or _is_unpublished(home):
        with run_lock(home):
            release = publish_newest(home, datetime.now(UTC), _NOTE)
    live = home.releases.require()
    return ReindexReport(outside.vectors, outside.texts, changed, live.release, release is not None)


def _newest(home: Home) -> tuple[int, int]:
    return home.vectors.version(home.releases.require().vector_table), home.texts.version()


def _is_unpublished(home: Home) -> bool:
    """Tell whether the tables have newer versions than the live release, as after a killed reindex."""
    live = home.releases.require()
    return (live.vector_version, live.text_version) != _newest(home)
