"""Reindexing: rebuild the indexes of the live release's vectors and texts beside searches and runs, and publish them.

An index is made in a new version of its table, without the run lock: rows that a run writes meanwhile stay outside it. The
versions are published under the run lock, if their rows are those of the live release. Else the next run publishes them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.vectors import ann_index, text_index
from warehouse.vectors.index_status import MOST_FILES, IndexStatus

Announce: TypeAlias = Callable[[str, int | None], Callable[[int], None]]


@dataclass(frozen=True)
class Outside:
    """Count the rows outside the indexes of the live release; `is_due` tells whether they slow searches down noticeably."""

    vectors: int
    texts: int
    is_due: bool

    @property
    def rows(self) -> int:
        """Return the number of products that one of the indexes lacks."""
        return max(self.vectors, self.texts)


def outside(home: Home, max_share: float) -> Outside:
    """Return what the live release's indexes lack; `max_share` is the share of the vectors that may be outside, 0 to 1."""
    live = home.releases.live()
    if live is None:
        return Outside(0, 0, is_due=False)
    vectors = home.vectors.index_status(live.vector_table, live.vector_version)
    texts = home.texts.index_status(live.text_version) if live.text_version else IndexStatus(0, True, 0)
    is_due = ann_index.is_behind(vectors, max_share) or text_index.is_behind(texts)
    return Outside(_rows_outside(vectors), _rows_outside(texts), is_due or max(vectors.files, texts.files) > MOST_FILES)


def make_indexes(home: Home, announce: Announce) -> Outside:
    """Take all rows of the newest versions into the indexes, and join many files; return what was outside.

    Nothing is written if no row is outside. The caller does not hold the run lock, so that runs go on meanwhile.

    Raises:
        WarehouseError: There is no release, or another process makes an index for longer than a writer may wait.
    """
    table = home.releases.require().vector_table
    with home.index_lock():
        texts = home.texts.index_status() if home.texts.version() else IndexStatus(0, True, 0)
        vectors = home.vectors.index_status(table)
        if home.texts.version():  # first, since its commit needs no release at once: see `text_refresh`
            done = announce("text index", None)
            home.texts.refresh_index()
            done(1)
        done = announce("vector index", None)
        home.vectors.refresh_index(table)
        done(1)
    is_due = max(vectors.files, texts.files) > MOST_FILES
    return Outside(_rows_outside(vectors), _rows_outside(texts), is_due)


def publish_newest(home: Home, now: datetime, note: str) -> Release | None:
    """Publish the newest versions of the live release's vectors and texts; the caller holds the run lock.

    Return None, and publish nothing, in three cases. The live release has them. It is a rollback, which stays until something
    changes. Their rows are others: a run that did not end wrote them, and the next one publishes them.
    """
    live = home.releases.require()
    vectors, texts = _same(home, live)
    if live.kind == "rollback" or (vectors, texts) == (live.vector_version, live.text_version):
        return None
    # Metrics of these rows refer to the version that first held them.
    since = home.releases.vectors_since(live.vector_table, live.vector_version)
    return home.releases.publish(
        kind="catalog",
        model_id=live.model_id,
        encoder_fingerprint=live.encoder_fingerprint,
        vector_table=live.vector_table,
        vector_version=vectors,
        snapshot=live.snapshot,
        published_at=max(now, live.published_at),
        metrics=json.dumps(json.loads(live.metrics) | {"vectors_since": since}),
        ranker_id=live.ranker_id,
        text_version=texts,
        rules=live.rules,
        note=note.format(live.release),
    ).release


def _same(home: Home, live: Release) -> tuple[int, int]:
    """Return the newest versions of vectors and texts with the live release's rows."""
    vectors, texts = home.vectors.version(live.vector_table), home.texts.version()
    if not home.vectors.has_same_rows(live.vector_table, live.vector_version, vectors):
        vectors = live.vector_version
    if not (live.text_version and home.texts.has_same_rows(live.text_version, texts)):
        texts = live.text_version
    return vectors, texts


def _rows_outside(status: IndexStatus) -> int:
    return status.unindexed_rows if status.indexed or status.rows >= ann_index.INDEX_ABOVE else 0
