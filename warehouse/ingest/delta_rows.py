"""Delta rows: read from a delta file in batches, and split into valid rows and those that break a rule."""

from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import VIOLATION_SCHEMA, as_json, split_rows
from warehouse.contracts.rules import rules as contract_rules
from warehouse.errors import WarehouseError
from warehouse.ingest import late_events
from warehouse.ingest.delta_files import DeltaFile
from warehouse.ingest.input_rules import ingest_rules
from warehouse.lake.lake import connect
from warehouse.lake.loss_guard import rule_counts, rule_summary
from warehouse.paths import plain_path
from warehouse.readers.file_columns import unreadable, wrong_type

_NAMED_ROWS, _CHARS = 2, 60


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
        WarehouseError: The message names the file, the rules that its rows break, and its first rows.
    """
    good_count, violations = 0, [pl.DataFrame(schema=VIOLATION_SCHEMA)]
    with connect(memory_gb) as connection:
        for batch in batches(connection, file, batch_rows):
            good_count += batch.upserts.height + batch.deletes.height
            violations = violations[:1] if good_count else [*violations, batch.violations]
    if not good_count:
        raise all_rows_refused(file, rule_counts(pl.concat(violations)))


def valid_rows(file: DeltaFile, batch_rows: int, memory_gb: float) -> pl.DataFrame:
    """Return the numbers of the rows of a file that no rule refuses, from 0: a frame (delta_row)."""
    with connect(memory_gb) as connection:
        rows = [
            part.select(pl.col("row").cast(pl.Int64))
            for batch in batches(connection, file, batch_rows)
            for part in (batch.upserts, batch.deletes)
        ]
    return pl.concat([pl.DataFrame(schema={"row": pl.Int64}), *rows]).rename({"row": "delta_row"})


def all_rows_refused(file: DeltaFile, rules: dict[str, int]) -> WarehouseError:
    """Return the error for a file of which every row breaks a rule, given the number of violations by rule.

    The message names the first rows, with their keys and the values that break a rule.
    """
    return WarehouseError(
        f"{file.given_as or file.path}: every row was refused: {rule_summary(rules)}; {'; '.join(_first_faults(file))}",
        "nothing was written; correct the rows, then apply the file again",
    )


def _first_faults(file: DeltaFile) -> list[str]:
    """Return what is wrong in the first rows of a file of which every row breaks a rule: a fault of each."""
    first, path = f"WHERE row < {_NAMED_ROWS} ORDER BY row", str(plain_path(file.path))
    with connect(1.0) as connection:
        parameters = {"path": path, "version": file.source_spec.contract.version}
        rows = connection.execute(f"SELECT * FROM ({file.rows_sql}) {first}", parameters).pl()
        values = connection.execute(f"SELECT * FROM ({file.values_sql}) {first}", {"path": path}).pl().to_dicts()
    faults = []
    for number, written in enumerate(values):
        row = rows[number : number + 1].cast({"event_time": late_events.time_type()})
        # With another op the row may lack what an upsert needs.
        rule = min(_divided(file, row).violations["rule"], key=lambda each: (each != "unknown_op", each))
        column = _columns(file).get(rule, rule.removesuffix(wrong_type("")))
        value = written.get(column)
        has = f"no {column}" if value is None else f"{column} {_shown(value)}"
        faults.append(f"{file.place_of(number)} ({_shown(row['key'].item())}) has {has}")
    return faults


def _shown(text: str) -> str:
    """Return the beginning of a text, with invisible characters escaped."""
    visible = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return visible if len(visible) <= _CHARS else f"{visible[:_CHARS]}…"


def _columns(file: DeltaFile) -> dict[str, str]:
    """Return the column of each rule: the first one that the rule reads and that a file may have."""
    read = {
        rule.name: list(rule.columns) for contract in (file.upsert, file.delete) for rule in contract_rules(contract)
    }
    declared = (*file.source_spec.columns, "event_time")
    read |= {name: rule.meta.root_names() for name, rule in ingest_rules(declared, file.checked_at).items()}
    known = {"op", *declared}
    return {name: next((column for column in columns if column in known), name) for name, columns in read.items()}


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
