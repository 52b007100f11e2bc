"""The delta history: every applied delta file, and since when SQL and searches show it."""

from typing import Any

from warehouse.contracts.contract import INPUT_HASH
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.ingest.deltas import DELTAS
from warehouse.lake import tables


def delta_history(home: Home) -> list[dict[str, Any]]:
    """Return the journal of deltas, oldest first: the columns of raw.deltas, and `as_of` and `release` of each file.

    `as_of` is the first checkpoint with the file in the lake, None before that. `release` is the first release with the
    file, None before that.
    """
    if not home.lake.exists:
        return []
    with home.lake.reading() as connection:
        if not tables.exists(connection, DELTAS.table):
            return []
        rows = connection.sql(
            f"SELECT * EXCLUDE (key, checked_at, {INPUT_HASH}) FROM {DELTAS.table} ORDER BY sequence_number"
        ).pl()
    ended = [checkpoint.snapshot for checkpoint in checkpoints.list_checkpoints(home.lake)]
    published = [each for each in home.releases.all() if each.kind != "rollback"]
    return [
        {
            **row,
            "as_of": next((snapshot for snapshot in ended if snapshot >= row["snapshot"]), None),
            "release": next((each.release for each in published if each.snapshot >= row["snapshot"]), None),
        }
        for row in rows.iter_rows(named=True)
    ]
