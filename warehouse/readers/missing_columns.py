"""Missing columns: what a declaration names and a file has not."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import duckdb

from warehouse.declaration.columns import ATTRIBUTE, declared_columns, file_columns
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.readers.format_detection import SourceFile, header_rows
from warehouse.readers.format_readers import parquet_types


def column_names(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> list[str]:
    """Return the names of a file's columns; of nested values the outermost, of JSON those of the first objects.

    Raises:
        WarehouseError: A parquet file is corrupt.
    """
    return list(parquet_types(connection, file.path)) if file.format == "parquet" else list(file.names)


def missing_columns(source: Source, names: Sequence[str], *, is_nested: bool) -> dict[str, str]:
    """Return the columns of a file that are declared, and are not there or there twice: a sentence for each.

    Args:
        source: The declaration.
        names: The columns that the file has.
        is_nested: Whether a value may hold others, so that a name may be a path.
    """
    problems = {}
    for meaning, column in declared_columns(source).items():
        for name in file_columns(column):
            own = meaning.removeprefix(ATTRIBUTE)
            if names.count(name) > 1:
                problems[name] = f"{own} = {name!r}: the file has two columns of this name"
            elif name not in names and not (is_nested and name.split(".")[0] in names):
                near = get_close_matches(name, names, 3, 0.6) or [
                    each for each in names if each.casefold().strip() == name.casefold().strip()
                ]
                known = f"; near it: {', '.join(map(repr, near))}" if near else ""
                problems[name] = f"{own} = {name!r}: there is no such column{known}"
    return problems


def missing_error(
    connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], missing: Mapping[Path, Mapping[str, str]]
) -> WarehouseError:
    """Return the error for files that lack declared columns, naming all of them."""
    sentences = "; ".join(f"{path}: {'; '.join(problems.values())}" for path, problems in missing.items() if problems)
    file = next(each for each in files if missing.get(each.path))
    names = column_names(connection, file)
    hint = f"it has {', '.join(names)}; correct the columns of this source in stockroom.toml"
    if all(names.count(name) > 1 for name in missing[file.path]):
        return WarehouseError(sentences, "rename one of the two in the file")
    if file.format == "csv":
        better = [number for number, cells in header_rows(file).items() if set(missing[file.path]) <= set(cells)]
        if better:
            hint = f"line {better[0]} has them: set header_row = {better[0]} in stockroom.toml"
        elif len(names) == 1:
            hint = f"it has one column, {names[0]!r}: set delimiter in stockroom.toml to the sign between the columns"
    return WarehouseError(sentences, hint)
