"""The status: the live release, the content of the lake, and whether a run did not end."""

import json
from typing import Any

from assets.evaluation.judged_queries import judged_queries
from assets.evaluation.unknown_tokens import unknown_shares
from models.settings import TrainingSettings
from orchestration.instance.locks import is_running, was_killed
from warehouse.history.checkpoints import content_snapshot, list_checkpoints, utc
from warehouse.home import Home
from warehouse.lake import catalog
from warehouse.operations.reindexing import outside
from warehouse.operations.rollback import has_served_changes
from warehouse.settings import ReleaseSettings


def status(home: Home, training: TrainingSettings, release: ReleaseSettings) -> dict[str, Any]:
    """Return the status as plain values.

    `snapshot` is the lake's snapshot. `release_snapshot`, `published_at` and `note` are those of the live release. `run` is
    `in progress` or `unfinished`, or None if the last run ended. `gate` is the result of a new model that the last run
    refused, else of the live model. `rows_outside` counts the products that an index of the live release lacks, and
    `needs_reindex` tells whether they slow searches down. `is_ahead` tells whether a table that searches or lookups read
    changed after the live release. `judged` counts the judged queries, and those that a build needs. `unknown_tokens` is the
    share of tokens in titles that the live release's encoder does not know, by locale, 0 to 1.
    """
    live, last = home.releases.live(), home.journal.last()
    with home.lake.reading() as connection:
        rows = catalog.row_counts(connection)
    snapshot, lacking = content_snapshot(home.lake), outside(home, release.max_unindexed_share)
    return {
        "snapshot": snapshot,
        "release": live.release if live else None,
        "model": live.model_id if live else None,
        "encoder": live.encoder_fingerprint if live else None,
        "rows": rows,
        "unknown_tokens": unknown_shares(home, live.encoder_fingerprint) if live else {},
        "judged": judged_queries(home, training, release),
        "texts_encoded": last.get("embeddings.texts", {}).get("texts_encoded", 0),
        "gate": last.get("releases.live", {}).get("gate") or (json.loads(live.metrics).get("gate") if live else None),
        "release_snapshot": live.snapshot if live else None,
        "published_at": utc(live.published_at) if live else None,
        "note": live.note if live else None,
        "rows_outside": lacking.rows,
        "needs_reindex": lacking.is_due,
        "run": _run(home, snapshot),
        "is_ahead": live is not None and has_served_changes(home, live.snapshot),
    }


def _run(home: Home, snapshot: int) -> str | None:
    """Return the state of a run that has not ended: its changes are in the lake, and no checkpoint is."""
    if is_running(home):
        return "in progress"
    checkpoints = list_checkpoints(home.lake)
    is_ended = bool(checkpoints) and checkpoints[-1].snapshot == snapshot
    return None if is_ended and not was_killed(home) else "unfinished"
