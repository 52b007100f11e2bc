"""As-of points: the snapshots that ended a successful run, and what had changed at each."""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl

from warehouse import changes, dated, tables
from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lake import Lake, scalar, snapshot_id
from warehouse.settings import WarehouseSettings
from warehouse.tables import Written
from warehouse.takeover import DERIVED, GIVEN
from warehouse.touched import Touched

POINTS = CONTRACTS["registry.snapshots"]
CHANGES = CONTRACTS["registry.changes"]
COMMANDS = ("evaluation.folds", "evaluation.trials")
"""What commands write beside the runs: no searcher sees a difference for them, and no run is owed a point."""
FOLLOWED = (*GIVEN, *DERIVED, "registry.dated")
"""The tables of which all that a run writes is noted. (Where a dated table or their registry changes, nothing is relied on.)"""
_NAMED = 5


@dataclass(frozen=True)
class Point:
    """Name an as-of point: a snapshot, the run that ended with it, and when (UTC)."""

    snapshot: int
    run_id: str
    ended_at: datetime

    def __str__(self) -> str:
        """Return number and time as a person may type them after `--as-of`."""
        return f"{self.snapshot} ({utc(self.ended_at)})"


def mark(lake: Lake, run_id: str, ended_at: datetime) -> int:
    """Make the lake's present state an as-of point and return its snapshot; write nothing if it is one already.

    What changed since the point before is recorded with it. The caller holds the run lock: nothing else writes meanwhile.
    """
    newest = lake.snapshot()
    known = points(lake)
    if any(point.snapshot == newest for point in known):
        return newest
    before = known[-1].snapshot if known else 0
    if known and _only_commands(lake, before):
        return before
    touched, lake.touched = lake.touched, None
    changed = changes.written(lake, before, newest, (POINTS.table, CHANGES.table, *COMMANDS), touched)
    with lake.writing() as connection:
        snapshot = snapshot_id(connection) + 1  # this very commit's: there is one writer at a time
        tables.ensure(connection, POINTS)
        connection.execute(
            f"INSERT INTO {POINTS.table} BY NAME "
            f"SELECT ? AS key, ? AS snapshot, ? AS run_id, ? AS ended_at, ? AS made_by, ? AS {INPUT_HASH}",
            [str(snapshot), snapshot, run_id, ended_at, _code(lake), run_id],
        )
        contracts, present = dated.contracts(connection), tables.row_counts(connection)
        rows = [
            {
                "key": f"{snapshot}:{table}",
                "snapshot": snapshot,
                "table": table,
                "rows": present.get(table, 0),
                "fingerprint": _version(connection, contracts[table], touched) if table in present else None,
                **count._asdict(),
            }
            for table, count in changed.items()
        ]
        schema = dict.fromkeys(CHANGES.columns, pl.Int64) | dict.fromkeys(("key", "table", "fingerprint"), pl.String)
        tables.refresh_from(connection, CHANGES, pl.DataFrame(rows, schema=schema), f"snapshot = {snapshot}")
    return snapshot


def _version(connection: duckdb.DuckDBPyConnection, contract: Contract, touched: Touched | None) -> str:
    return tables.version(connection, contract, touched if touched and touched.any(contract.table) else None)


def touched_since(lake: Lake) -> Touched | None:
    """Return what is to take down what a run changes from now on; None where that would not be enough to know.

    It is enough if a run ended with the lake as it is, made by this very code under these settings: all tables follow from
    the raw ones then. The caller holds the run lock.
    """
    known = points(lake) if lake.exists else []
    if not known or (lake.snapshot() != known[-1].snapshot and not _only_commands(lake, known[-1].snapshot)):
        return None
    with lake.reading() as connection:
        if "made_by" not in tables.columns(connection, POINTS.table):
            return None
        made_by = connection.execute(
            f"SELECT made_by FROM {POINTS.table} WHERE snapshot = ?", [known[-1].snapshot]
        ).fetchone()
        versions = dict.fromkeys(set(FOLLOWED) - tables.ever_filled(connection), tables.EMPTY)
        versions |= dict(
            connection.execute(
                f'SELECT "table", arg_max(fingerprint, snapshot) FROM {CHANGES.table} '
                """WHERE ("table" IN (SELECT unnest(?)) OR starts_with("table", 'dated.')) AND fingerprint IS NOT NULL """
                "GROUP BY ALL",
                [list(FOLLOWED)],
            ).fetchall()
        )
    return Touched(known[-1].snapshot, versions) if made_by and made_by[0] == _code(lake) else None


def _code(lake: Lake) -> str:
    """Return a digest of all that decides what the tables are, given the raw ones: the source files and their settings."""
    settings = lake.settings.model_dump_json(include=WarehouseSettings.DECISIVE)
    return hashlib.sha256(f"{_source_files()} {settings}".encode()).hexdigest()[:16]


@functools.cache
def _source_files() -> str:
    house, digest = Path(str(files("warehouse"))).parent, hashlib.sha256()
    for package in ("assets", "models", "warehouse"):
        for path in sorted((house / package).rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.relative_to(house).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _only_commands(lake: Lake, since: int) -> bool:
    """Tell whether nothing but what commands write was written after a snapshot."""
    with lake.reading() as connection:
        written = connection.execute(
            "SELECT changes FROM ducklake_snapshots('lake') WHERE snapshot_id > ?", [since]
        ).fetchall()
        # Changes name a table by its number, and numbers come without a schema: with two of that name neither is known.
        own = {table.split(".")[0] for table in COMMANDS} | set(COMMANDS)
        for table in COMMANDS:
            ids = connection.execute(
                "SELECT table_id::VARCHAR FROM ducklake_table_info('lake') WHERE table_name = ?", [table.split(".")[1]]
            ).fetchall()
            own |= set(ids[0]) if len(ids) == 1 else set()
    return all(what in own for (change,) in written for names in change.values() for what in names)


def points(lake: Lake) -> list[Point]:
    """Return the as-of points that were not cleaned up, oldest first."""
    with lake.reading() as connection:
        if not tables.exists(connection, POINTS.table):
            return []
        rows = connection.execute(
            f"SELECT snapshot, run_id, ended_at FROM {POINTS.table} "
            "SEMI JOIN (SELECT snapshot_id AS snapshot FROM ducklake_snapshots('lake')) USING (snapshot) ORDER BY snapshot"
        ).fetchall()
    return [Point(int(snapshot), run_id, ended_at.astimezone(UTC)) for snapshot, run_id, ended_at in rows]


def point(lake: Lake, as_of: str | None = None) -> Point:
    """Return the as-of point that a person means: the newest one, by number, or the newest at or before a time.

    Args:
        lake: The lake.
        as_of: A snapshot's number, or a time in ISO 8601 (UTC where it names no zone); None: the newest point.

    Raises:
        WarehouseError: There is no such point; it names those there are, the nearest few where they are many.
    """
    known = points(lake)
    if not known:
        raise WarehouseError(f"no run has ended in {lake.root.parent} yet", "end one with: stockroom build --raw DIR")
    if as_of is None:
        return known[-1]
    if re.fullmatch(r"[+-]?\d+", as_of.strip()):
        snapshot = int(as_of)
        found = [each for each in known if each.snapshot == snapshot]
        near = sorted(known, key=lambda each: abs(each.snapshot - snapshot))
        problem = f"snapshot {snapshot} is no as-of point: no successful run ended with it, or it was cleaned up"
    else:
        moment = _moment(as_of)
        found = [each for each in known if each.ended_at <= moment]
        near = known
        problem = f"no run had ended at {utc(moment)}"
    if not found:
        named = sorted(near[:_NAMED], key=lambda each: each.snapshot)
        more = f" and {len(known) - _NAMED} more (list them with: stockroom snapshots)" if len(known) > _NAMED else ""
        raise WarehouseError(problem, f"there are {', '.join(map(str, named))}{more}")
    return found[-1]


def history(lake: Lake) -> dict[int, dict[str, Written]]:
    """Return what changed at each as-of point since the one before it, by snapshot and table."""
    found: dict[int, dict[str, Written]] = {}
    with lake.reading() as connection:
        if tables.exists(connection, CHANGES.table):
            rows = connection.execute(
                f'SELECT snapshot, "table", inserted, updated, deleted FROM {CHANGES.table} ORDER BY key'
            )
            for snapshot, table, *counts in rows.fetchall():
                found.setdefault(snapshot, {})[table] = Written(*counts)
    return found


def snapshots(lake: Lake) -> list[int]:
    """Return every snapshot of the lake that can still be read, oldest first."""
    with lake.reading() as connection:
        rows = connection.execute("SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY snapshot_id").fetchall()
    return [int(snapshot) for (snapshot,) in rows]


def expire(lake: Lake, versions: Sequence[int]) -> int:
    """Let these snapshots go, and with them the files that no other snapshot needs; return how many files went.

    Files are removed after it is committed that nothing needs them: a killed process leaves some for the next call.
    """
    with lake.writing() as connection:
        if versions:
            listed = ", ".join(str(int(version)) for version in versions)
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{listed}])")
    with lake.writing() as connection:
        gone = connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)").fetchall()
        # What killed transactions wrote. The write lock is held: nobody is about to commit a file.
        gone += connection.execute("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)").fetchall()
    return len(gone)


def is_kept(lake: Lake, snapshot: int) -> bool:
    """Tell whether the lake can still be read as of a snapshot."""
    with lake.reading() as connection:
        known = "SELECT count(*) FROM ducklake_snapshots('lake') WHERE snapshot_id = ?"
        return scalar(connection, known, [snapshot]) > 0


def changed_tables(lake: Lake, after: int, until: int) -> set[str]:
    """Return the tables that changed at the as-of points after one snapshot and up to another."""
    with lake.reading() as connection:
        if not tables.exists(connection, CHANGES.table):
            return set()
        rows = connection.execute(
            f'SELECT DISTINCT "table" FROM {CHANGES.table} WHERE snapshot > ? AND snapshot <= ?', [after, until]
        ).fetchall()
    return {table for (table,) in rows}


def recorded_fingerprint(lake: Lake, table: str, snapshot: int) -> str | None:
    """Return the data version that a table had at an as-of point, as the run that ended there recorded it."""
    with lake.reading() as connection:
        if not tables.exists(connection, CHANGES.table):
            return None
        row = connection.execute(
            f'SELECT fingerprint FROM {CHANGES.table} WHERE "table" = ? AND snapshot <= ? ORDER BY snapshot DESC LIMIT 1',
            [table, snapshot],
        ).fetchone()
    return None if row is None else row[0]


def utc(moment: datetime) -> str:
    """Return a time in ISO 8601, UTC, to the microsecond: what is shown can be typed back."""
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
