"""Rows of a source: its files as one DuckDB view of text columns, named by what they mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from warehouse.declaration.columns import declared_columns, file_columns, number_columns
from warehouse.declaration.source import Constant, Source
from warehouse.errors import WarehouseError, first_line
from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.readers.format_detection import SourceFile
from warehouse.readers.format_readers import csv_sql, json_sql, parquet_sql, refuse_rejects
from warehouse.readers.missing_columns import column_names, missing_columns, missing_error


def create_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    source: Source,
    files: Sequence[SourceFile],
    folder: Path,
    *,
    may_lack: bool = False,
) -> None:
    """Create a view of all rows of a source, as text.

    Its columns are file_number (from 0), file, row (from 0, in its file), and each declared column by its meaning. Parquet files
    are read where they lie; text files are first written to `folder` as parquet, in their own order. A column that no object of
    JSON has is refused, or null if the files `may_lack` it, as a small file of changes may.

    Raises:
        WarehouseError: Declared columns are missing, or lines of a file have another shape; the message names all of them.
    """
    missing = {
        file.path: missing_columns(source, column_names(connection, file), is_nested=file.format != "csv")
        for file in files
        if file.format != "json"  # a name may come late in a file of JSON
    }
    if any(missing.values()):
        raise missing_error(connection, files, missing)
    values = {
        meaning: column if isinstance(column, Constant) else file_columns(column)
        for meaning, column in declared_columns(source).items()
    }
    numbers = number_columns(source)
    selects, json_parts = [], dict[SourceFile, Path]()
    for number, file in enumerate(files):
        if file.format == "parquet":
            rows = f"({parquet_sql(connection, file, values, numbers)})"
        else:
            part = folder / f"{name}-{number}.parquet"
            try:
                is_csv = file.format == "csv"
                sql = csv_sql(file, values, folder) if is_csv else json_sql(connection, file, values, numbers, folder)
                connection.execute(f"COPY ({sql}) TO {quote(str(plain_path(part)))} (FORMAT parquet)")
            except duckdb.Error as error:
                raise WarehouseError(
                    f"{file.path} cannot be read as {file.format}: {first_line(error)}",
                    "correct the file, or the format, delimiter or encoding of its source in stockroom.toml",
                ) from error
            if is_csv:
                refuse_rejects(connection, file)
            else:
                json_parts[file] = part
            rows = f"read_parquet({quote(str(plain_path(part)))}, file_row_number = true)"
            rows = f"(SELECT * RENAME (file_row_number AS row) FROM {rows})"
        selects.append(f"SELECT {number} AS file_number, {quote(str(file.path))} AS file, * FROM {rows}")
    if json_parts and not may_lack:
        _refuse_absent(connection, source, json_parts)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {' UNION ALL BY NAME '.join(selects)}")


def _refuse_absent(connection: duckdb.DuckDBPyConnection, source: Source, parts: Mapping[SourceFile, Path]) -> None:
    """Refuse files of JSON in which no object has a declared column, and the first objects have no such name."""
    absent: dict[Path, dict[str, str]] = {}
    paths = ", ".join(quote(str(plain_path(part))) for part in parts.values())
    for file in parts:
        missing = missing_columns(source, file.names, is_nested=True)
        for meaning, column in declared_columns(source).items():
            names = [name for name in file_columns(column) if name in missing]
            query = f'SELECT count("{meaning}") FROM read_parquet([{paths}])'
            if names and not (connection.execute(query).fetchone() or (0,))[0]:
                absent.setdefault(file.path, {}).update({name: missing[name] for name in names})
    if absent:
        raise missing_error(connection, list(parts), absent)
