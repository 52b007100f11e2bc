"""The replay: rebuild the raw tables from the archived input files, in the order in which they were ingested."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile, check_deltas
from warehouse.ingest.deltas import apply_deltas, ensure
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import SOURCE_SPECS, InputFile, input_files
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.sources.source_files import UNREAD_FIELDS

File = TypeVar("File", InputFile, DeltaFile)

FILES, DELTAS = CONTRACTS["raw.files"], CONTRACTS["raw.deltas"]
QUARANTINE = CONTRACTS["quarantine.rows"]


@dataclass(frozen=True)
class Snapshot:
    """Describe the last full file of a raw table.

    `as_of` is the newest event_time of the deltas ingested before it. `after_delta` is the sequence number of the last of
    those deltas: the file supersedes it and all before it. None if an earlier version did not record the number.
    """

    table: str
    name: str
    sha256: str
    after_delta: int | None
    as_of: datetime | None
    checked_at: datetime | None


@dataclass(frozen=True)
class Delta:
    """Name a delta file in the journal; `superseded` means that a later full file replaced its effects."""

    sequence_number: int
    name: str
    sha256: str
    table: str
    snapshot: int
    superseded: bool
    checked_at: datetime | None


@dataclass(frozen=True)
class IngestHistory:
    """List the ingested files: the last full file of each table, and every delta in the order of ingestion."""

    snapshots: tuple[Snapshot, ...]
    deltas: tuple[Delta, ...]

    @property
    def needed(self) -> set[str]:
        """Return the hashes of the files that a replay reads."""
        return {file.sha256 for file in self.snapshots} | {file.sha256 for file in self.deltas if not file.superseded}


def ingest_history(lake: Lake) -> IngestHistory:
    """Return the lake's record of the ingested files; a delta counts as superseded only if the record says so."""
    if not lake.exists:
        return IngestHistory((), ())
    source_specs = {source_spec.table for source_spec in SOURCE_SPECS}
    with lake.reading() as connection:
        files = connection.sql(f"FROM {FILES.table}").pl() if tables.exists(connection, FILES.table) else pl.DataFrame()
        has_deltas = tables.exists(connection, DELTAS.table)
        rows = connection.sql(f"FROM {DELTAS.table} ORDER BY sequence_number").pl() if has_deltas else pl.DataFrame()
    snapshots = tuple(
        Snapshot(
            row["key"],
            row["name"],
            row["sha256"],
            row.get("after_delta"),
            row.get("as_of"),
            row.get("checked_at"),
        )
        for row in files.iter_rows(named=True)
        if row["key"] in source_specs
    )
    starts = {each.table: each.after_delta or 0 for each in snapshots}
    deltas = (
        Delta(
            sequence_number=row["sequence_number"],
            name=row["name"],
            sha256=row["sha256"],
            table=row["table"],
            snapshot=row["snapshot"],
            superseded=row["sequence_number"] <= starts.get(row["table"], 0),
            checked_at=row.get("checked_at"),
        )
        for row in rows.iter_rows(named=True)
    )
    return IngestHistory(snapshots, tuple(deltas))


def archive_files(home: Home, files: Sequence[InputFile | DeltaFile]) -> None:
    """Archive copies of the files to be ingested, before a commit names them.

    Raises:
        WarehouseError: A file changed while it was read.
    """
    if home.settings.keep_files:
        for file in files:
            home.archive.add(file.path, file.sha256)


@contextmanager
def archiving(home: Home, files: Sequence[InputFile | DeltaFile]) -> Iterator[None]:
    """Archive copies of the files that the block ingests; remove the copies if the files are refused.

    Raises:
        WarehouseError: As `archive_files`.
    """
    archive_files(home, files)
    try:
        yield
    except WarehouseError:
        prune_archive(home)
        raise


def prune_archive(home: Home) -> int:
    """Remove the copies that no replay needs any more, and return their number."""
    return home.archive.prune(ingest_history(home.lake).needed if home.settings.keep_files else set())


def replay(home: Home, into: Home) -> IngestHistory:
    """Rebuild the raw tables from the home's files in the empty lake of `into`, and return the record of those files.

    The replay starts from the last full file of each table. Of everything before it only the file's watermark counts. The
    files are extracted temporarily next to the lake of `into`.

    Raises:
        WarehouseError: A file has no copy or a damaged one, or a table's file is older than the record of the deltas before
            it; nothing was written to the home.
    """
    history, folder = ingest_history(home.lake), into.lake.root.parent / "files"
    for file in history.snapshots:
        if file.after_delta is None and any(delta.table == file.table for delta in history.deltas):
            raise WarehouseError(
                f"{file.table} was ingested by an earlier version of Stockroom, which did not record the earlier delta files",
                "ingest a full snapshot again: stockroom build --raw DIR",
            )
    for file in history.snapshots:
        home.archive.restore(file.sha256, folder / "raw" / file.name)
    times = {file.table: file.checked_at for file in history.snapshots}
    files = [_with_check_time(file, times.get(file.source_spec.table)) for file in input_files(folder / "raw")]
    ingest(into.lake, folder / "raw", files, is_replay=True)
    with into.lake.writing() as connection:
        ensure(connection)
        for file in history.snapshots:
            connection.execute(
                f"UPDATE {FILES.table} SET as_of = ?, after_delta = ?, checked_at = ? WHERE key = ?",
                [file.as_of, file.after_delta or 0, file.checked_at, file.table],
            )
    _copy_unread(home.lake, into.lake)
    for superseded, deltas in groupby(history.deltas, key=lambda delta: delta.superseded):
        if superseded:
            _copy_journal(home.lake, into.lake, [delta.sequence_number for delta in deltas])
        else:
            _bring_in(home, into.lake, folder, list(deltas))
    return history


def _copy_unread(lake: Lake, into: Lake) -> None:
    """Copy the record of the values that declared sources could not read, which the archived files no longer have."""
    with lake.reading() as connection:
        if not tables.exists(connection, QUARANTINE.table):
            return
        unread: Any = connection.execute(
            f"""FROM {QUARANTINE.table} WHERE "table" LIKE 'raw.%' AND json_keys("row") = ?""", [list(UNREAD_FIELDS)]
        ).pl()
    with into.writing() as connection:
        tables.ensure(connection, QUARANTINE)
        connection.register("unread", unread)
        connection.execute(f"INSERT INTO {QUARANTINE.table} BY NAME FROM unread")
        connection.unregister("unread")


def _bring_in(home: Home, lake: Lake, folder: Path, deltas: list[Delta]) -> None:
    """Ingest deltas under their own names, and record the home's snapshots that first ingested them."""
    paths = [folder / str(delta.sequence_number) / delta.name for delta in deltas]
    for delta, path in zip(deltas, paths, strict=True):
        home.archive.restore(delta.sha256, path)
    files = zip(check_deltas(paths), deltas, strict=True)
    apply_deltas(lake, [_with_check_time(file, delta.checked_at) for file, delta in files], is_replay=True)
    with lake.writing() as connection:
        for delta in deltas:
            connection.execute(
                f"UPDATE {DELTAS.table} SET snapshot = ?, checked_at = ? WHERE sequence_number = ?",
                [delta.snapshot, delta.checked_at, delta.sequence_number],
            )


def _with_check_time(file: File, checked_at: datetime | None) -> File:
    """Return the file with its first check time, since rows then in the future were refused."""
    return replace(file, checked_at=checked_at or file.checked_at)


def _copy_journal(lake: Lake, into: Lake, numbers: list[int]) -> None:
    """Copy the journal rows of superseded deltas."""
    with lake.reading() as connection:
        columns_present = tables.columns(connection, DELTAS.table)  # a lake of an earlier version lacks some
        columns = ", ".join(f'"{name}"' for name in (*DELTAS.columns, INPUT_HASH) if name in columns_present)
        journal_rows: Any = connection.execute(
            f"SELECT {columns} FROM {DELTAS.table} WHERE sequence_number IN (SELECT unnest(?))", [numbers]
        ).pl()
    with into.writing() as connection:
        connection.register("journal_rows", journal_rows)
        connection.execute(f"INSERT INTO {DELTAS.table} BY NAME FROM journal_rows")
        connection.unregister("journal_rows")
