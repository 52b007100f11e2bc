"""Delta rows: read from a delta file in batches, and split into valid rows and those that break a rule."""

from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import VIOLATION_SCHEMA, as_json, split_rows
from warehouse.errors import WarehouseError
from warehouse.ingest import late_events
from warehouse.ingest.delta_files import DeltaFile
from warehouse.ingest.input_rules import ingest_rules
from warehouse.ingest.sources import unreadable, wrong_type
from warehouse.lake.lake import connect
from warehouse.lake.loss_guard import rule_counts, rule_summary
from warehouse.paths import plain_path


class Batch(NamedTuple):
    """Some rows of a file: upserts, deletes, and the violations (key, rule, row) of the `refused` others."""

    upserts: pl.DataFrame
    deletes: pl.DataFrame
    violations: pl.DataFrame
    refused: int


def batches(connection: duckdb.DuckDBPyConnection, file: DeltaFile, batch_rows: int) -> Iterator[Batch]:
    """Yield the rows of a file.

    Raises:
        WarehouseError: The file is corrupt.
    """
    parameters = {"path": str(plain_path(file.path)), "version": file.source_spec.contract.version}
    try:
        for batch in connection.cursor().execute(file.rows_sql, parameters).to_arrow_reader(batch_rows):
            yield _divided(file, pl.DataFrame(batch).cast({"event_time": late_events.time_type()}))
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise unreadable(file.path, error) from error


def check_rows(file: DeltaFile, batch_rows: int, memory_gb: float) -> None:
    """Read a file to its end, and refuse it if it is corrupt or has no valid row.

    Raises:
        WarehouseError: The message names the file, and the rules that its rows break.
    """
    good_count, violations = 0, [pl.DataFrame(schema=VIOLATION_SCHEMA)]
    with connect(memory_gb) as connection:
        for batch in batches(connection, file, batch_rows):
            good_count += batch.upserts.height + batch.deletes.height
            violations = violations[:1] if good_count else [*violations, batch.violations]
    if not good_count:
        raise all_rows_refused(file, rule_counts(pl.concat(violations)))


def all_rows_refused(file: DeltaFile, rules: dict[str, int]) -> WarehouseError:
    """Return the error for a file of which every row breaks a rule, given the number of violations by rule."""
    return WarehouseError(
        f"{file.path}: every row was refused: {rule_summary(rules)}",
        "nothing was written; correct the rows, then apply the file again",
    )


def _divided(file: DeltaFile, frame: pl.DataFrame) -> Batch:
    # A row with a value of another type is not checked further; in parquet, a wrong type refuses the whole file.
    is_typed = pl.col("mistyped") == ""
    typed, other = frame.filter(is_typed), frame.filter(~is_typed)
    is_delete = (pl.col("op") == "delete").fill_null(False)
    rules = ingest_rules(frame.columns, file.checked_at)
    upserts, refused_in = split_rows(file.upsert, typed.filter(~is_delete), rules)
    deletes, refused_out = split_rows(file.delete, typed.filter(is_delete), rules)
    mistyped = other.select(
        "key",
        rule=pl.col("mistyped").str.split(",").list.eval(pl.element() + wrong_type("")),
        row=as_json(file.source_spec.contract),
    ).explode("rule")
    refused = frame.height - upserts.height - deletes.height
    return Batch(upserts, deletes, pl.concat([refused_in, refused_out, mistyped]), refused)
