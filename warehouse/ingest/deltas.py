"""Deltas: apply files of upserts and deletes to the raw tables, atomically, each file once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, VIOLATION_SCHEMA
from warehouse.contracts.registry import CONTRACTS
from warehouse.ingest import late_events
from warehouse.ingest.delta_files import DeltaFile
from warehouse.ingest.delta_rows import all_rows_refused, batches
from warehouse.lake import quarantine, tables
from warehouse.lake.lake import Lake, snapshot_id
from warehouse.lake.loss_guard import Losses, rule_counts
from warehouse.lake.reconcile import Plan

DELTAS = CONTRACTS["raw.deltas"]
_CHANGE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.Int64,
    "key": pl.String,
    "op": pl.String,
    "event_time": late_events.time_type(),
    INPUT_HASH: pl.String,
}


@dataclass(frozen=True)
class Applied:
    """Count the rows of a delta file by effect, as in the columns of raw.deltas. `is_new` is false for a file applied before.

    `rules` counts the violations by rule.
    """

    name: str
    table: str
    sequence_number: int
    is_new: bool
    rows: int = 0
    upserts: int = 0
    deletes: int = 0
    refused: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    unknown: int = 0
    superseded: int = 0
    late: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    new_columns: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """Return the warning about undeclared columns; empty if there are none."""
        if not (self.is_new and self.new_columns):
            return ""
        return f"{self.name}: left out the columns that {self.table} does not declare: {', '.join(self.new_columns)}"


def apply_deltas(
    lake: Lake, files: Sequence[DeltaFile], *, allow_loss: bool = False, is_replay: bool = False
) -> list[Applied]:
    """Apply delta files to the raw tables in order, in one transaction; files applied before are skipped.

    Of several changes to one row the newest event_time wins. At equal times, the change that is ingested last wins. A change
    without event_time comes after all changes that were ingested before it.

    Args:
        lake: The lake.
        files: The files, in the order to apply them.
        allow_loss: Whether the files together may remove more rows than the setting max_loss_share allows.
        is_replay: Whether the files were applied before, elsewhere; then refusals and losses are not checked again.

    Raises:
        WarehouseError: A file is corrupt, all rows of a file break rules, or the files would remove too many rows of a table;
            nothing was written.
    """
    sequence_numbers = applied_files(lake)
    if all(file.identity in sequence_numbers for file in files):
        return [already_applied(file, sequence_numbers[file.identity]) for file in files]
    with lake.writing() as connection:
        ensure(connection)
        snapshot = snapshot_id(connection) + 1  # this very commit's: there is one writer at a time
        applied = []
        losses = Losses(connection)
        for file in files:
            if file.identity in sequence_numbers:
                applied.append(already_applied(file, sequence_numbers[file.identity]))
            else:
                sequence_numbers[file.identity] = len(sequence_numbers) + 1
                applied.append(_apply_file(lake, connection, file, sequence_numbers[file.identity], snapshot, losses))
                if applied[-1].refused == applied[-1].rows and not is_replay:
                    raise all_rows_refused(file, applied[-1].rules)
        if not is_replay:
            names = {table: _names(files, applied, table) for table in losses.tables}
            losses.refuse(names, lake.settings.max_loss_share, allow_loss)
        return applied


def _names(files: Sequence[DeltaFile], applied: Sequence[Applied], table: str) -> str:
    """Return the paths of the new files of a table."""
    new = (file.path for file, one in zip(files, applied, strict=True) if one.is_new and one.table == table)
    return ", ".join(map(str, new))


def applied_files(lake: Lake) -> dict[tuple[str, str], int]:
    """Return the sequence number of every applied delta file, by name and hash."""
    if not lake.exists:
        return {}
    with lake.reading() as connection:
        if not tables.exists(connection, DELTAS.table):
            return {}
        rows = connection.sql(f"SELECT name, sha256, sequence_number FROM {DELTAS.table}").fetchall()
        return {(name, sha256): int(sequence_number) for name, sha256, sequence_number in rows}


def ensure(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the bookkeeping tables of deltas and the table of search rules if they do not exist."""
    for contract in (DELTAS, late_events.EVENTS, late_events.FILES, CONTRACTS["raw.search_rules"]):
        tables.ensure(connection, contract)


def already_applied(file: DeltaFile, sequence_number: int) -> Applied:
    """Return the result for a file applied before."""
    return Applied(file.path.name, file.source_spec.table, sequence_number, is_new=False)


def _apply_file(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    file: DeltaFile,
    sequence_number: int,
    snapshot: int,
    losses: Losses,
) -> Applied:
    table, contract = file.source_spec.table, file.source_spec.contract
    with lake.scratch() as store:
        changes, refused, violations = _read(store, file, lake.settings.batch_rows)
        tables.ensure(connection, contract)
        key_states = late_events.key_states(connection, table, changes.select("key").unique())
        resolved = late_events.resolve(changes, key_states, late_events.watermark(connection, table))
        last = resolved.filter("is_last").join(key_states.select("key", "present"), on="key")
        is_present, is_upsert = pl.col("present").is_not_null(), pl.col("op") == "upsert"
        change = Plan(
            insert=last.filter(is_upsert & ~is_present).select("key"),
            update=last.filter(is_upsert & is_present & (pl.col(INPUT_HASH) != pl.col("present"))).select("key"),
            delete=last.filter(~is_upsert & is_present).select("key"),
        )
        rows = last.filter(is_upsert).join(change.upsert, on="key", how="semi").select("row")
        losses.follow(table, change)
        current = key_states.drop_nulls("present").select("key", pl.col("present").alias(INPUT_HASH))
        upserts = _upserts(store, rows, lake.settings.batch_rows)
        row_counts = tables.write(connection, contract, change, current, upserts)
    violations = pl.concat([violations, file.unread.select(violations.columns)])
    late_events.record(connection, table, last, sequence_number)
    quarantine.add(connection, table, violations, settled=last.select("key"))
    counts = {
        "rows": changes.height + refused,
        "upserts": changes.filter(is_upsert).height,
        "deletes": changes.filter(~is_upsert).height,
        "refused": refused,
        **row_counts._asdict(),
        "unchanged": last.filter(is_upsert).height - change.upsert.height,
        "unknown": last.filter(~is_upsert & ~is_present).height,
        "superseded": resolved.filter(~pl.col("is_late") & ~pl.col("is_last")).height,
        "late": resolved.filter("is_late").height,
    }
    _record_file(connection, file, {"sequence_number": sequence_number, "table": table, "snapshot": snapshot, **counts})
    return Applied(
        file.path.name,
        table,
        sequence_number,
        is_new=True,
        **counts,
        rules=rule_counts(violations),
        new_columns=file.new_columns,
    )


def _read(store: duckdb.DuckDBPyConnection, file: DeltaFile, batch_rows: int) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """Read a file in batches; its upserts go to the table `upserts` of `store`, which may spill them to disk.

    Returns:
        The valid changes (row, key, op, event_time, input_hash), the number of refused rows, and their violations.
    """
    changes, violations, refused, is_first = (
        [pl.DataFrame(schema=_CHANGE_SCHEMA)],
        [pl.DataFrame(schema=VIOLATION_SCHEMA)],
        0,
        True,
    )
    for batch in batches(store, file, batch_rows):
        upsert_rows = batch.upserts
        store.execute(f"{'CREATE TABLE upserts AS' if is_first else 'INSERT INTO upserts'} FROM upsert_rows")
        changes += [
            good.select(pl.col(name).cast(kind) for name, kind in _CHANGE_SCHEMA.items())
            for good in (upsert_rows, batch.deletes)
        ]
        violations.append(batch.violations)
        refused, is_first = refused + batch.refused, False
    return pl.concat(changes), refused, pl.concat(violations)


def _upserts(store: duckdb.DuckDBPyConnection, rows: pl.DataFrame, batch_rows: int) -> Iterator[pl.DataFrame]:
    """Yield the rows of the table `upserts` with the numbers in `rows` (row), in batches."""
    if rows.height:
        store.register("row_numbers", rows)
        query = "SELECT * FROM upserts WHERE row IN (FROM row_numbers)"
        yield from map(pl.DataFrame, store.execute(query).to_arrow_reader(batch_rows))


def _record_file(connection: duckdb.DuckDBPyConnection, file: DeltaFile, facts: dict[str, Any]) -> None:
    facts |= {"key": str(facts["sequence_number"]), "name": file.path.name, "sha256": file.sha256}
    facts |= {"size_bytes": file.size_bytes, "checked_at": file.checked_at, INPUT_HASH: file.sha256}
    values = ", ".join(f'? AS "{name}"' for name in facts)
    connection.execute(f"INSERT INTO {DELTAS.table} BY NAME SELECT {values}", list(facts.values()))
