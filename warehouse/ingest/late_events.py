"""Late events: record each row's last change by a delta file, and find the changes of later files that are older."""

from datetime import datetime

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake, quote, scalar
from warehouse.lake.reconcile import plan

EVENTS = CONTRACTS["raw.events"]
FILES = CONTRACTS["raw.files"]
DELTAS = CONTRACTS["raw.deltas"]


def tables_of(lake: Lake) -> set[str]:
    """Return the raw tables that deltas changed since their last full file."""
    if not lake.exists:
        return set()
    with lake.reading() as connection:
        if not tables.exists(connection, EVENTS.table):
            return set()
        return {table for (table,) in connection.sql(f'SELECT DISTINCT "table" FROM {EVENTS.table}').fetchall()}


def clear(connection: duckdb.DuckDBPyConnection, table: str) -> datetime | None:
    """Clear the change log of a table when a full file replaces it, and return the newest event time in the log."""
    newest = watermark(connection, table)
    if tables.exists(connection, EVENTS.table):
        row = connection.execute(f'SELECT max(event_time) FROM {EVENTS.table} WHERE "table" = ?', [table]).fetchone()
        newest = max((time for time in (newest, row[0] if row else None) if time is not None), default=None)
        condition = f'"table" = {quote(table)}'
        connection.execute(f"DELETE FROM {EVENTS.table} WHERE {condition}")
    return newest


def watermark(connection: duckdb.DuckDBPyConnection, table: str) -> datetime | None:
    """Return the watermark of a table: its full file covers all events before that time. None if the file has none."""
    row = connection.execute(f"SELECT as_of FROM {FILES.table} WHERE key = ?", [table]).fetchone()
    return row[0] if row else None


def last_sequence_number(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the sequence number of the last delta file; 0 before the first."""
    if not tables.exists(connection, DELTAS.table):
        return 0
    return scalar(connection, f"SELECT coalesce(max(sequence_number), 0) FROM {DELTAS.table}")


def resolve(changes: pl.DataFrame, states: pl.DataFrame, watermark: datetime | None) -> pl.DataFrame:
    """Decide which changes (row, key, op, event_time) of one file count.

    A change is late, and does not count, if its event_time is before the newest known event_time of its key, before the
    watermark, or before the event_time of an earlier row of the same file. At equal times, and without a time, the later row
    counts.
    Of the changes of one key that count, the last one is applied; it supersedes the others.

    Returns:
        The changes with `is_late`, `is_last`, and `newest`, the newest time of the key after the file.
    """
    time = pl.col("event_time")
    ordered = changes.sort("row").join(
        states.select("key", before="event_time"), on="key", how="left", maintain_order="left"
    )
    ordered = ordered.with_columns(
        reached=pl.max_horizontal(
            "before", pl.lit(watermark, time_type()), time.cum_max().forward_fill().shift(1).over("key")
        )
    )
    ordered = ordered.with_columns(is_late=(time < pl.col("reached")).fill_null(False))
    counting = pl.when(~pl.col("is_late"))
    return ordered.with_columns(
        is_last=~pl.col("is_late") & (pl.col("row") == counting.then("row").max().over("key")),
        newest=pl.max_horizontal("before", counting.then(time).max().over("key")),
    ).drop("before", "reached")


def time_type() -> pl.Datetime:
    """Return the type of times in frames: microseconds, UTC."""
    return pl.Datetime("us", "UTC")


def key_states(connection: duckdb.DuckDBPyConnection, table: str, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the state of some keys: (key, event_time, present); `present` is the input hash of the existing row."""
    connection.register("lookup_keys", keys)
    states = connection.execute(
        f"SELECT lookup_keys.key, events.event_time, present.{INPUT_HASH} AS present FROM lookup_keys "
        f"LEFT JOIN {table} AS present ON present.key = lookup_keys.key "
        f'LEFT JOIN {EVENTS.table} AS events ON events."table" = $table AND row_key = lookup_keys.key',
        {"table": table},
    ).pl()
    connection.unregister("lookup_keys")
    return states.cast({"event_time": time_type()})


def record(connection: duckdb.DuckDBPyConnection, table: str, last: pl.DataFrame, sequence_number: int) -> None:
    """Record the last changes (key, op, newest) of a delta to the rows of a table."""
    rows = last.select(
        pl.format("{} {}", pl.lit(table), "key").alias("key"),
        pl.lit(table).alias("table"),
        pl.col("key").alias("row_key"),
        "op",
        pl.col("newest").alias("event_time"),
        pl.lit(sequence_number, pl.Int64).alias("sequence_number"),
        pl.lit(str(sequence_number)).alias(INPUT_HASH),
    )
    connection.register("changed_keys", rows.select("key"))
    current = tables.hashes(connection, EVENTS, "key IN (FROM changed_keys)")
    tables.write(connection, EVENTS, plan(rows, current), current, [rows])
    connection.unregister("changed_keys")


def decided_by(lake: Lake, table: str, sequence_number: int) -> pl.DataFrame:
    """Return the rows of a table that a delta file decided and no later one has: (key, event_time), its newest time."""
    with lake.reading() as connection:
        decided = connection.execute(
            f'SELECT row_key AS key, event_time FROM {EVENTS.table} WHERE "table" = ? AND sequence_number = ?',
            [table, sequence_number],
        ).pl()
    return decided.cast({"key": pl.String, "event_time": time_type()})
