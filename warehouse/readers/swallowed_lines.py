"""Swallowed lines: values of a csv file in which whole rows of the file stand, since a quote was not closed."""

from collections.abc import Sequence

import duckdb
import polars as pl

from warehouse.declaration.columns import ATTRIBUTE, MISSHAPEN
from warehouse.declaration.problems import PROBLEM_SCHEMA
from warehouse.lake.lake import quote
from warehouse.readers.format_detection import SourceFile

SWALLOWED = "holds_other_rows"
"""The rule that such a value breaks; the value is kept as it is read."""

_NARROW, _FEW, _LEAST = 3, 5, 2
"""Text may hold as many commas in a line as a row of few columns: then several such lines count, otherwise two."""
_PLACES = ("file_number", "file", "row", MISSHAPEN)


def swallowed_lines(connection: duckdb.DuckDBPyConnection, rows: str, files: Sequence[SourceFile]) -> pl.DataFrame:
    """Return the values of a view (see `rows.create_view`) that hold rows of their csv file, a frame of `PROBLEM_SCHEMA`.

    A line within a value counts as a row if it has as many delimiters as a row has.
    """
    columns = [name for name, *_ in connection.execute(f'DESCRIBE "{rows}"').fetchall() if name not in _PLACES]
    found = [pl.DataFrame(schema=PROBLEM_SCHEMA)]
    for number, file in enumerate(files):
        width = len(file.names)
        if file.format != "csv" or file.quoting == "none" or width < 2:
            continue
        is_row = f"lambda line: len(string_split(line, {quote(file.delimiter)})) = {width}"
        least = _FEW if width <= _NARROW else _LEAST
        values = " UNION ALL ".join(
            f'SELECT file, row, {quote(name.removeprefix(ATTRIBUTE))} AS "column", "{name}" AS value FROM "{rows}" '
            f'WHERE file_number = {number} AND contains("{name}", chr(10))'
            for name in columns
        )
        query = (
            f'SELECT file, row, "column", value, {quote(SWALLOWED)} AS rule FROM ({values}) '
            f'WHERE len(list_filter(string_split(value, chr(10))[2:], {is_row})) >= {least} ORDER BY row, "column"'
        )
        found.append(connection.sql(query).pl().cast(pl.Schema(PROBLEM_SCHEMA)))
    return pl.concat(found)
