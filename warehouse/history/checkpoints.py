"""Checkpoints: the snapshots that ended a successful run, and the changes at each."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history import table_diff
from warehouse.lake import catalog, tables, watermarks
from warehouse.lake.lake import Lake
from warehouse.lake.tables import Written

CHECKPOINTS = CONTRACTS["registry.snapshots"]
CHANGES = CONTRACTS["registry.changes"]
BOOKKEEPING = (
    CHECKPOINTS.table,
    CHANGES.table,
    "registry.watermarks",
    "evaluation.folds",
    "evaluation.trials",
)
"""Tables in which runs and commands record their work; they are not part of the lake's content."""
_NAMED = 5


@dataclass(frozen=True)
class Checkpoint:
    """Name a checkpoint: a snapshot, the run that ended with it, and when (UTC)."""

    snapshot: int
    run_id: str
    ended_at: datetime

    def __str__(self) -> str:
        """Return the number and the time, each valid for `--as-of`."""
        return f"{self.snapshot} ({utc(self.ended_at)})"


def create(lake: Lake, run_id: str, ended_at: datetime, snapshot: int | None = None) -> int:
    """Create a checkpoint of the lake's content at the end of a run, and return its snapshot.

    Nothing is written if the snapshot is a checkpoint already. The changes since the previous checkpoint are recorded with
    it, in a later snapshot. The caller holds the run lock, so that nothing else writes meanwhile.

    Args:
        lake: The lake.
        run_id: The run that ended.
        ended_at: The end of the run.
        snapshot: The run's snapshot of the lake's content; None: the current snapshot.
    """
    snapshot = content_snapshot(lake) if snapshot is None else snapshot
    existing = list_checkpoints(lake)
    if any(checkpoint.snapshot == snapshot for checkpoint in existing):
        return snapshot
    previous = existing[-1].snapshot if existing else 0
    changes = table_diff.written(lake, previous, BOOKKEEPING)
    with lake.writing() as connection:
        tables.ensure(connection, CHECKPOINTS)
        connection.execute(
            f"INSERT INTO {CHECKPOINTS.table} BY NAME "
            f"SELECT ? AS key, ? AS snapshot, ? AS run_id, ? AS ended_at, ? AS {INPUT_HASH}",
            [str(snapshot), snapshot, run_id, ended_at, run_id],
        )
        present = catalog.row_counts(connection)
        rows = [
            {
                "key": f"{snapshot}:{table}",
                "snapshot": snapshot,
                "table": table,
                "rows": present.get(table, 0),
                **count._asdict(),
            }
            for table, count in changes.items()
        ]
        schema = dict.fromkeys(CHANGES.columns, pl.Int64) | dict.fromkeys(("key", "table"), pl.String)
        tables.refresh_from(connection, CHANGES, pl.DataFrame(rows, schema=schema), f"snapshot = {snapshot}")
    return snapshot


def content_snapshot(lake: Lake) -> int:
    """Return the snapshot of the lake's current content: the newest checkpoint if nothing but bookkeeping was written since."""
    existing = list_checkpoints(lake) if lake.exists else []
    if not existing:
        return lake.snapshot()
    state = catalog.newest_state(lake)
    changed = [table for table, snapshot in state.last_changes.items() if snapshot > existing[-1].snapshot]
    return existing[-1].snapshot if set(changed) <= set(BOOKKEEPING) else state.snapshot


def list_checkpoints(lake: Lake) -> list[Checkpoint]:
    """Return the existing checkpoints, oldest first."""
    with lake.reading() as connection:
        if not tables.exists(connection, CHECKPOINTS.table):
            return []
        rows = connection.execute(
            f"SELECT snapshot, run_id, ended_at FROM {CHECKPOINTS.table} "
            "SEMI JOIN (SELECT snapshot_id AS snapshot FROM __ducklake_metadata_lake.ducklake_snapshot) USING (snapshot) "
            "ORDER BY snapshot"
        ).fetchall()
    return [Checkpoint(int(snapshot), run_id, ended_at.astimezone(UTC)) for snapshot, run_id, ended_at in rows]


def find_checkpoint(lake: Lake, as_of: str | None = None) -> Checkpoint:
    """Return the checkpoint for a user's `as_of`: by number, the newest at or before a time, or the newest of all.

    Args:
        lake: The lake.
        as_of: A snapshot number, or a time in ISO 8601 (UTC if it has no zone); None: the newest checkpoint.

    Raises:
        WarehouseError: There is no such checkpoint; the message names the nearest few.
    """
    existing = list_checkpoints(lake)
    if not existing:
        raise WarehouseError(
            f"no run has succeeded in {lake.root.parent} yet", "start a run with: stockroom build --raw DIR"
        )
    if as_of is None:
        return existing[-1]
    if re.fullmatch(r"[+-]?\d+", as_of.strip()):
        snapshot = int(as_of)
        matches = [each for each in existing if each.snapshot == snapshot]
        near = sorted(existing, key=lambda each: abs(each.snapshot - snapshot))
        problem = (
            f"snapshot {snapshot} is not a checkpoint: no successful run ended with it, or stockroom vacuum removed it"
        )
    else:
        moment = _moment(as_of)
        matches = [each for each in existing if each.ended_at <= moment]
        near = existing
        problem = f"no run had ended at {utc(moment)}"
    if not matches:
        nearest = sorted(near[:_NAMED], key=lambda each: each.snapshot)
        more = (
            f" and {len(existing) - _NAMED} more (list them with: stockroom snapshots)"
            if len(existing) > _NAMED
            else ""
        )
        raise WarehouseError(problem, f"choose a checkpoint; the nearest are {', '.join(map(str, nearest))}{more}")
    return matches[-1]


def history(lake: Lake) -> dict[int, dict[str, Written]]:
    """Return the changes at each checkpoint since the previous one, by snapshot and table."""
    changes: dict[int, dict[str, Written]] = {}
    with lake.reading() as connection:
        if tables.exists(connection, CHANGES.table):
            rows = connection.execute(
                f'SELECT snapshot, "table", inserted, updated, deleted FROM {CHANGES.table} ORDER BY key'
            )
            for snapshot, table, *counts in rows.fetchall():
                changes.setdefault(snapshot, {})[table] = Written(*counts)
    return changes


def snapshots(lake: Lake) -> list[int]:
    """Return every readable snapshot of the lake, oldest first."""
    with lake.reading() as connection:
        rows = connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY snapshot_id").fetchall()
    return [int(snapshot) for (snapshot,) in rows]


def expire(lake: Lake, versions: Sequence[int], sources: Callable[[str], Iterable[str]]) -> int:
    """Expire these snapshots and remove the files that no other snapshot needs; return the number of removed files.

    `sources` returns the tables that a watermark follows, since watermarks at expired snapshots are lifted.

    Files are removed after the expiration is committed. A killed process leaves some for the next call.
    """
    with lake.writing() as connection:
        if versions:
            watermarks.lift(connection, sources, set(versions))
            listed = ", ".join(str(int(version)) for version in versions)
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{listed}])")
    with lake.writing() as connection:
        files = connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)").fetchall()
        # Files of killed transactions. Under the write lock nobody is about to commit a file.
        files += connection.execute("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)").fetchall()
    return len(files)


def is_readable(lake: Lake, snapshot: int) -> bool:
    """Tell whether the lake can still be read as of a snapshot."""
    return lake.exists and snapshot in catalog.newest_state(lake).readable


def changed_tables(lake: Lake, after: int) -> set[str]:
    """Return the tables that changed after a snapshot."""
    return {table for table, last in catalog.newest_state(lake).last_changes.items() if last > after}


def utc(moment: datetime) -> str:
    """Return a time as ISO 8601 text in UTC, to the microsecond; the option `--as-of` accepts the text."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise WarehouseError(
            f"{text!r} is neither a snapshot nor a time",
            "give a number that stockroom snapshots lists, or a time in ISO 8601: 2026-03-01T12:00:00Z",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
