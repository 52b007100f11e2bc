"""Feature view check: every row of a feature view's file is checked before anything is written."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.contracts.contract import FIRST_TIME, LAST_TIME
from warehouse.contracts.locales import normalized_key_sql
from warehouse.contracts.tables.raw import ID, IN_FUTURE, MAX_ID_LENGTH
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.readers.file_bytes import refuse_bytes, refuse_other_format
from warehouse.readers.file_columns import parquet_columns, refuse_ambiguous_columns, unreadable, wrong_type

_TYPE_NAMES = {"number": "numbers", "text": "text", "flag": "true or false", "time": "times", "list": "lists of text"}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBERS = (*_INTEGERS, "FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("TIMESTAMP", "DATE")


def check_file(connection: duckdb.DuckDBPyConnection, path: Path, table: FeatureView, now: datetime) -> dict[str, str]:
    """Check every row of a file, and return the types of its columns.

    Raises:
        WarehouseError: As `ingest_file`.
    """
    refuse_bytes(path)
    refuse_other_format(path)
    try:
        kinds = column_kinds(connection, path, table)
        for column, fault, rule, condition in _faults(table, kinds):
            _refuse_first(connection, path, column, fault, rule, condition, now)
        _refuse_repeated(connection, path, table, kinds)
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    return kinds


def column_kinds(connection: duckdb.DuckDBPyConnection, path: Path, table: FeatureView) -> dict[str, str]:
    """Return the types of a file's columns by name.

    Raises:
        WarehouseError: A declared column is missing, or its name occurs twice but for case.
    """
    described = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(plain_path(path))}
    ).fetchall()
    kinds = {str(name): str(kind) for name, kind, *_ in described}
    names = (*table.key_columns, *_time_column(table), *(column.name for column in table.columns))
    if table.is_static and "event_time" in kinds:
        raise WarehouseError(
            f"{path} has a column event_time, and the feature view {table.name} is static",
            f"give ttl_days in [[feature_view]] {table.name} of stockroom.toml, or take the column out of the file",
        )
    refuse_ambiguous_columns(path, parquet_columns(connection, path), names)
    for name in names:
        if name not in kinds:
            raise WarehouseError(
                f"{path} has no column {name}",
                f"it has {', '.join(kinds)}; add the column, or correct [[feature_view]] {table.name} in stockroom.toml",
            )
    return kinds


def _faults(table: FeatureView, kinds: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the possible faults: the column, the fault in words, its rule, and the SQL condition of a bad row.

    Keys and times have the rules of the raw tables, under the same names.
    """
    for name in table.key_columns:
        kind, text = kinds[name], f'"{name}"::VARCHAR'
        if not (_fits(kind, "text") or kind.removeprefix("U") in _INTEGERS):
            yield name, f"it is {kind}, not text or a whole number", wrong_type(name), f'"{name}" IS NOT NULL'
        yield name, f"the {table.entity} has no key", f"{name}_missing", f'"{name}" IS NULL'
        yield name, f"the {table.entity} has no key", f"{name}_empty", f"{text} = ''"
        yield name, "it is not a valid id", f"{name}_malformed", f"NOT regexp_full_match({text}, {quote(ID)})"
        yield name, "the id is too long", f"{name}_too_long", f"length({text}) > {MAX_ID_LENGTH}"
    if not table.is_static:
        if not kinds["event_time"].startswith(_TIMES):
            kind = kinds["event_time"]
            yield "event_time", f"it is {kind}, not a time", wrong_type("event_time"), "event_time IS NOT NULL"
            return
        time = _time(kinds)
        yield "event_time", "the row has no time", "event_time_missing", "event_time IS NULL"
        yield from _out_of_range("event_time", time)
        yield "event_time", "the time lies in the future", IN_FUTURE, f"{time} > $now"
    for column in table.columns:
        if not _fits(kinds[column.name], column.holds):
            fault = f"it is {kinds[column.name]} and must hold {_TYPE_NAMES[column.holds]}"
            kind = table.contract.sql_type(column.name)
            # The most telling row is the first that cannot be cast to the type; if all can, the first with a value.
            bad = f'"{column.name}" IS NOT NULL AND TRY_CAST("{column.name}"::VARCHAR AS {kind}) IS NULL'
            yield column.name, fault, wrong_type(column.name), bad
            yield column.name, fault, wrong_type(column.name), f'"{column.name}" IS NOT NULL'
        elif column.holds == "time":
            yield from _out_of_range(column.name, f'"{column.name}"::TIMESTAMP WITH TIME ZONE')


def _out_of_range(column: str, time: str) -> Iterator[tuple[str, str, str, str]]:
    is_outside = f"{time} NOT BETWEEN '{FIRST_TIME}' AND '{LAST_TIME}'"
    yield column, "the time is infinite", f"{column}_malformed", f'NOT isfinite("{column}")'
    yield column, "the time lies outside the years 1 to 9999", f"{column}_malformed", is_outside


def _refuse_first(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    column: str,
    fault: str,
    rule: str,
    condition: str,
    now: datetime,
) -> None:
    parameters: dict[str, object] = {"path": str(plain_path(path))}
    if "$now" in condition:
        parameters["now"] = now.astimezone(UTC)
    row = connection.execute(
        f'SELECT file_row_number + 1, "{column}"::VARCHAR FROM read_parquet($path, file_row_number = true) '
        f"WHERE {condition} ORDER BY file_row_number LIMIT 1",
        parameters,
    ).fetchone()
    if row:
        raise WarehouseError(
            f"{path}: column {column}, row {row[0]}: {fault}: {_preview(row[1])} ({rule})",
            "correct the file (rows are counted from 1), then run again; nothing was written",
        )


def _refuse_repeated(
    connection: duckdb.DuckDBPyConnection, path: Path, table: FeatureView, kinds: dict[str, str]
) -> None:
    time = "NULL" if table.is_static else "event_time"
    repeated = connection.execute(
        f"SELECT row, first, entity_key, {time}::VARCHAR FROM ("
        f"SELECT *, min(row) OVER (PARTITION BY {identity_columns(table)}) AS first "
        f"FROM ({rows_sql(table, kinds)})) WHERE row <> first ORDER BY row LIMIT 1",
        {"path": str(plain_path(path))},
    ).fetchone()
    if repeated:
        row, first, key, time = repeated
        columns = " and ".join([", ".join(table.key_columns), *_time_column(table)])
        raise WarehouseError(
            f"{path}: columns {columns}, row {row}: row {first} already has the key {key!r}"
            + ("" if table.is_static else f" and the time {time}"),
            f"keep one row for each key{'' if table.is_static else ' and time'} (rows are counted from 1), then run again; "
            "nothing was written",
        )


def rows_sql(table: FeatureView, kinds: dict[str, str]) -> str:
    """Return the SQL that reads the file, bound as `$path`: row (from 1), entity_key, event_time and the features."""
    key = ", ':', ".join(f'"{name}"' for name in table.key_columns)
    key = f"concat({key})" if table.entity == "context" else normalized_key_sql(f"concat({key})")
    columns = ["file_row_number + 1 AS row", f"{key} AS entity_key"]
    if not table.is_static:
        columns.append(f"{_time(kinds)} AS event_time")
    for column in table.columns:
        kind = table.contract.sql_type(column.name)
        value = f'"{column.name}"::{kind}'
        if kind == "DOUBLE":
            value = f"CASE WHEN isfinite({value}) THEN {value} END"  # NaN and the infinities become null
        columns.append(f'{value} AS "{column.name}"')
    return f"SELECT {', '.join(columns)} FROM read_parquet($path, file_row_number = true)"


def _time_column(table: FeatureView) -> tuple[str, ...]:
    return () if table.is_static else ("event_time",)


def identity_columns(table: FeatureView) -> str:
    """Return the columns that identify a row."""
    return ", ".join(("entity_key", *_time_column(table)))


def _time(kinds: dict[str, str]) -> str:
    """Return the SQL of event_time in microseconds, UTC if the file has no zone; fractions round up, never into the past."""
    if kinds["event_time"] == "TIMESTAMP_NS":
        return "make_timestamp((epoch_ns(event_time) + 999) // 1000)::TIMESTAMP WITH TIME ZONE"
    return "event_time::TIMESTAMP WITH TIME ZONE"


def _fits(kind: str, holds: str) -> bool:
    if holds == "number":
        return kind.removeprefix("U").startswith(_NUMBERS)
    if holds == "time":
        return kind.startswith(_TIMES)
    if holds == "list":
        return kind == "VARCHAR[]"
    return kind == "BOOLEAN" if holds == "flag" else kind == "VARCHAR" or kind.startswith("ENUM")


def _preview(value: str | None) -> str:
    return "nothing" if value is None else repr(value[:80])
