"""File columns: the columns of a file by name and type, and the refusal of those that cannot be read."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseError, first_line
from warehouse.paths import plain_path
from warehouse.readers.file_advice import advice

PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def refuse_ambiguous_columns(path: Path, names: Sequence[str], declared: Iterable[str]) -> None:
    """Refuse column names that repeat, or that equal a declared name except for case and surrounding blanks.

    Raises:
        WarehouseError: A name is ambiguous; the message names the file and the columns.
    """
    for name in declared:
        matches = [each for each in names if each.strip().casefold() == name.casefold()]
        if len(matches) > 1:
            raise WarehouseError(f"{path} has the column {name} twice: {', '.join(matches)}", "keep one of the columns")
        if matches not in ([], [name]):
            raise WarehouseError(f"{path} has a column {matches[0]!r}, not {name!r}", f"rename the column to {name}")


def refuse_type(connection: duckdb.DuckDBPyConnection, path: Path, name: str, kind: str, sql_type: str) -> None:
    """Reject a parquet column whose type does not match the expected SQL type, unless all its values are null.

    Raises:
        WarehouseError: The type does not match; the message names the file, the column, both types and the rule.
    """
    if not (fits(kind, sql_type) or is_all_null(connection, path, name)):
        raise WarehouseError(
            f"{path}: column {name} is {kind}, not {sql_type} ({wrong_type(name)})", f"cast the column to {sql_type}"
        )


def wrong_type(column: str) -> str:
    """Return the name of the rule that a column's values have its type."""
    return f"{column}_wrong_type"


def parquet_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Return the column names of a parquet file as written; DuckDB itself renames repeated ones."""
    rows = connection.execute(
        "SELECT name, num_children FROM parquet_schema($path)", {"path": str(plain_path(path))}
    ).fetchall()
    names, inside = [], 0
    for name, children in rows[1:]:  # depth first, after the root
        if not inside:
            names.append(str(name))
        inside = max(inside - 1, 0) + (children or 0)
    return names


_ROW_NUMBER = "file_row_number"


def csv_header(path: Path) -> list[str]:
    """Return the names in the header of a CSV file of UTF-8; empty for an empty file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file), [])


def unreadable(path: Path, error: Exception) -> WarehouseError:
    """Return the error for a file that cannot be parsed."""
    reason = first_line(error).removeprefix("Invalid Input Error: ").replace(str(plain_path(path)), str(path))
    is_text = re.search("encod|unicode|utf-?8", reason, re.IGNORECASE)  # a value of it, in a file that is whole
    hint = "write the text columns of the file as UTF-8" if is_text and path.suffix == ".parquet" else advice(path)
    if _ROW_NUMBER in reason:
        reason, hint = (
            f"DuckDB numbers no rows beside a column of the name {_ROW_NUMBER}",
            "rename the column in the file",
        )
    return WarehouseError(f"{path} cannot be read: {reason}", hint)


def fits(kind: str, sql_type: str) -> bool:
    """Tell whether a column type matches an SQL type: it is the same type, or one whose values can be converted.

    TIMESTAMP accepts dates and other timestamps, BIGINT accepts integers and booleans, VARCHAR accepts enums.
    """
    integers = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "BOOLEAN"}
    return (
        kind == sql_type
        or (sql_type.startswith("TIMESTAMP") and kind.startswith(("TIMESTAMP", "DATE")))
        or (sql_type == "BIGINT" and kind in integers)
        or (sql_type == "VARCHAR" and kind.startswith("ENUM"))
    )


def is_all_null(connection: duckdb.DuckDBPyConnection, path: Path, column: str) -> bool:
    """Tell whether a column has only nulls, so that its type does not matter."""
    row = connection.execute(f'SELECT count("{column}") FROM read_parquet(?)', [str(plain_path(path))]).fetchone()
    return row is not None and row[0] == 0
