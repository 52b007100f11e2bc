"""Readers: the SQL that reads the values of a source file as text, whatever its format."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import duckdb

from warehouse.declaration.columns import ATTRIBUTE, MISSHAPEN
from warehouse.declaration.source import Constant
from warehouse.errors import WarehouseError, first_line
from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.readers.format_detection import SourceFile, utf8_copy

Values = Mapping[str, Constant | Sequence[str]]
"""The columns of a view by meaning: a constant, or the columns of the file whose values are joined."""

_QUOTES: Mapping[str, str] = {
    "doubled": "quote = '\"', escape = '\"'",
    "backslash": "quote = '\"', escape = '\\'",
    "none": "quote = '', escape = ''",
}
IDS = ("product_id", "query_id", "example_id")
"""The meanings whose values are ids: text or whole numbers."""
_NO_IDS = ", 'ARRAY', 'BOOLEAN'"
_LINE_SIZE = 1 << 24
_MOST_FAULTS = 20
_SEPARATORS = {"bullet_points": "chr(10)", "description": "chr(10)"}
_SPACE = "' '"


def csv_sql(file: SourceFile, values: Values, folder: Path) -> str:
    """Return the query of a csv file; a line of another number of fields goes to DuckDB's table of rejects."""
    path, compression = _utf8(file, folder)
    cells = {name: f"nullif(c{number}, '')" for number, name in enumerate(file.names)}
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(file.names)))
    return _select(values, lambda _, name: cells[name]) + (
        f" FROM read_csv({path}, columns = {{{columns}}}, auto_detect = false, header = false, skip = {file.header_row}, "
        f"delim = {quote(file.delimiter)}, {_QUOTES[file.quoting]}, null_padding = false, ignore_errors = true, "
        f"store_rejects = true, rejects_limit = 1000, max_line_size = {_LINE_SIZE}, compression = '{compression}')"
    )


def refuse_rejects(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> None:
    """Refuse a csv file whose query rejected lines.

    Raises:
        WarehouseError: The message names the lines.
    """
    rows = connection.execute(
        "SELECT DISTINCT line, error_message, csv_line FROM reject_errors ORDER BY line"
    ).fetchall()
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    if rows:
        _, message, text = rows[0]
        # DuckDB counts a record with line breaks in it as one line
        width = len(file.names)
        numbers = [line for line, record in file.records() if len(record) != width] or [line for line, *_ in rows]
        lines = ", ".join(f"{number:,}" for number in numbers[:_MOST_FAULTS])
        more = f" and {len(numbers) - _MOST_FAULTS:,} more" if len(numbers) > _MOST_FAULTS else ""
        raise WarehouseError(
            f"{file.path}: {'line' if len(numbers) == 1 else 'lines'} {lines}{more} cannot be read as {width} fields "
            f"between {file.delimiter!r}; the first is {str(text)[:80]!r}: {first_line(Exception(message))}",
            "correct these lines, quote a field that holds the delimiter, or set delimiter or quoting in stockroom.toml",
        )


def json_sql(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, values: Values, numbers: Collection[str], folder: Path
) -> str:
    """Return the query of a file of JSON lines, or of one list of objects; `numbers` are the meanings that are numbers.

    Raises:
        WarehouseError: A line is not a JSON object; the message names the lines.
    """
    path, compression = _utf8(file, folder)
    if file.is_array:
        size = f"maximum_object_size = {_LINE_SIZE}"
        kind = "gzip" if compression == "gzip" else "uncompressed"
        objects = (
            f"(SELECT json AS js FROM read_json_objects({path}, format = 'array', compression = '{kind}', {size}))"
        )
    else:
        # Whole lines: chr(1) cannot occur in JSON, so it never splits one.
        lines = (
            f"read_csv({path}, columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '', escape = '', comment = '', "
            "header = false, skip = 0, auto_detect = false, strict_mode = false, parallel = false, "
            f"max_line_size = {_LINE_SIZE}, compression = '{compression}')"
        )
        is_row = "trim(line, concat(' ', chr(9), chr(13))) <> ''"
        objects = f"(SELECT TRY_CAST(ltrim(line, chr(65279)) AS JSON) AS js FROM {lines} WHERE {is_row})"
        _refuse_broken(connection, file, objects)
    paths = _Paths()
    columns = _select(values, lambda meaning, name: _json_value(meaning, _steps(name, file.names), paths, numbers))
    misshapen = _misshapen(values, file.names, paths)
    return f"{columns}, {misshapen} AS {MISSHAPEN} FROM {paths.read_from(objects)}"


def parquet_sql(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, values: Values, numbers: Collection[str]
) -> str:
    """Return the query of a parquet file, with the number of each row, from 0, as `row`; `numbers` as in `json_sql`.

    Raises:
        WarehouseError: A column of ids holds lists or booleans.
    """
    types = parquet_types(connection, file.path)
    for meaning, names in values.items():
        for name in () if isinstance(names, Constant) or meaning not in IDS else names:
            kind = types.get(name, "")
            if kind == "BOOLEAN" or kind.endswith("[]"):
                raise WarehouseError(
                    f"{file.path}: the column {name} is {kind}, and {meaning} is text or a whole number",
                    "declare another column as the id in stockroom.toml, or correct the file",
                )
    path = quote(str(plain_path(file.path)))
    columns = _select(values, lambda meaning, name: _parquet_value(meaning, name, types, numbers))
    if "file_row_number" in types:  # DuckDB numbers no rows beside a column of this name
        return f"{columns}, row_number() OVER () - 1 AS row FROM read_parquet({path})"
    return f"{columns}, file_row_number AS row FROM read_parquet({path}, file_row_number = true)"


def parquet_types(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the columns of a parquet file with their SQL types.

    Raises:
        WarehouseError: The file is corrupt.
    """
    try:
        described = connection.execute(
            f"DESCRIBE SELECT * FROM read_parquet({quote(str(plain_path(path)))})"
        ).fetchall()
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be read: {first_line(error)}", "the file is truncated or corrupt; copy the file again"
        ) from error
    return {str(name): str(kind) for name, kind, *_ in described}


def _utf8(file: SourceFile, folder: Path) -> tuple[str, str]:
    """Return the quoted path of a text file in UTF-8, and its compression."""
    if file.encoding in ("utf-8", "utf-8-sig"):
        return quote(str(plain_path(file.path))), "gzip" if file.is_gzipped else "none"
    return quote(str(plain_path(utf8_copy(file, folder)))), "none"


def _select(values: Values, value: Callable[[str, str], str]) -> str:
    """Return the SELECT clause; `value` gives the SQL of one column of the file for a meaning."""
    columns = []
    for meaning, parts in values.items():
        if isinstance(parts, Constant):
            sql = quote(parts.constant)
        elif len(parts) == 1:
            sql = value(meaning, parts[0])
        else:
            texts = ", ".join(f"nullif(trim({value(meaning, part)}), '')" for part in parts)
            sql = f"nullif(concat_ws({_SEPARATORS.get(meaning, _SPACE)}, {texts}), '')"
        columns.append(f'{sql} AS "{meaning}"')
    return f"SELECT {', '.join(columns)}"


def _refuse_broken(connection: duckdb.DuckDBPyConnection, file: SourceFile, objects: str) -> None:
    broken = connection.execute(
        f"SELECT number FROM (SELECT row_number() OVER () AS number, js FROM {objects}) "
        f"WHERE js IS NULL OR json_type(js) <> 'OBJECT' LIMIT {_MOST_FAULTS}"
    ).fetchall()
    if broken:
        places = ", ".join(file.places([number - 1 for (number,) in broken]))
        raise WarehouseError(
            f"{file.path}: not a JSON object: {places}",
            'write one object a line, {"id": "1", …}, or one list of objects',
        )


class _Paths:
    """Collect the paths that a query reads, so that each object `js` is parsed once for all of them."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def text(self, steps: Sequence[str]) -> str:
        """Return the SQL of the value at a path, as text."""
        return f"texts[{self._place(steps)}]"

    def type(self, steps: Sequence[str]) -> str:
        """Return the SQL of the type of the value at a path."""
        return f"types[{self._place(steps)}]"

    def read_from(self, objects: str) -> str:
        """Return the FROM clause of objects with what stands at the paths."""
        paths = ", ".join(self._places)
        read = f"json_extract_string(js, [{paths}]) AS texts, json_type(js, [{paths}]) AS types"
        return f"(SELECT js, {read} FROM {objects})" if paths else objects

    def _place(self, steps: Sequence[str]) -> int:
        return self._places.setdefault(_json_path(steps), len(self._places) + 1)


def _json_value(meaning: str, steps: Sequence[str], paths: _Paths, numbers: Collection[str]) -> str:
    """Return the SQL of a value as text, found by its path; the elements of a list are joined, those of an attribute not.

    A path that leads through a list of objects gives the list of their values. A path that leads through another value gives
    null, and so does an object where a text is read; see `_misshapen`.
    """
    is_attribute = meaning.startswith(ATTRIBUTE)
    cases = ""
    if not is_attribute:
        elements = f"from_json(js -> {_json_path(steps)}, '[\"VARCHAR\"]')"
        cases = f" WHEN {paths.type(steps)} IN ('OBJECT'{_NO_IDS if meaning in IDS else ''}) THEN NULL"
        cases += f" WHEN {paths.type(steps)} = 'ARRAY' THEN {_listed(meaning, elements)}"
    for depth in range(1, len(steps)):
        every = f"json_extract_string(js, {_json_path(steps[:depth], '[*]', steps[depth:])})"
        values = f"list_filter({every}, lambda each: each IS NOT NULL)"
        listed = f"to_json({values})::VARCHAR" if is_attribute else _listed(meaning, values)
        cases += f" WHEN {paths.type(steps[:depth])} = 'ARRAY' THEN {listed}"
    text = paths.text(steps)
    if meaning in numbers:
        cases += f" WHEN {paths.type(steps)} = 'DOUBLE' THEN {_program_number(text)}"
    return f"nullif(CASE{cases} ELSE {text} END, '')" if cases else f"nullif({text}, '')"


def _misshapen(values: Values, names: Sequence[str], paths: _Paths) -> str:
    """Return the SQL of the values of `js` that stand where a path cannot lead: a list of (column, value, rule).

    The rule is not_an_object where the path leads through a text, a number or a boolean, is_an_object where an object stands
    for a text, and is_no_id where a list or a boolean stands for an id.
    """
    faults = []
    for meaning, parts in values.items():
        for name in () if isinstance(parts, Constant) else parts:
            steps, own = _steps(name, names), quote(meaning.removeprefix(ATTRIBUTE))
            for depth in range(1, len(steps)):
                kind, text = paths.type(steps[:depth]), paths.text(steps[:depth])
                faults.append(_fault(f"{kind} NOT IN ('OBJECT', 'NULL', 'ARRAY')", own, text, "not_an_object"))
            if meaning in IDS:
                faults.append(_fault(f"{paths.type(steps)} IN (''{_NO_IDS})", own, paths.text(steps), "is_no_id"))
            if not meaning.startswith(ATTRIBUTE):
                faults.append(_fault(f"{paths.type(steps)} = 'OBJECT'", own, paths.text(steps), "is_an_object"))
    return f"list_filter([{', '.join(faults)}], lambda each: each IS NOT NULL)" if faults else "NULL"


def _fault(condition: str, column: str, text: str, rule: str) -> str:
    return f"CASE WHEN {condition} THEN {{'column': {column}, 'value': {text}, 'rule': '{rule}'}} END"


def _steps(name: str, names: Collection[str]) -> list[str]:
    """Return the steps of a path in nested values; a column's own name may have a period in it."""
    return [name] if name in names else name.split(".")


def _json_path(*parts: Sequence[str] | str) -> str:
    """Return the SQL of a path of steps; a text among the parts is taken as it is."""
    path = "$"
    for part in parts:
        path += part if isinstance(part, str) else "".join(f".{json.dumps(step, ensure_ascii=False)}" for step in part)
    return quote(path)


def _program_number(text: str) -> str:
    """Return the SQL of a number's text with an exponent, by which the point in it is a decimal point in every column."""
    return f"if(contains({text}, '.') AND NOT contains(lower({text}), 'e'), concat({text}, 'e0'), {text})"


def _parquet_value(meaning: str, name: str, types: Mapping[str, str], numbers: Collection[str]) -> str:
    """Return the SQL of a value as text: a column, or a field of a struct by its path; a list as in JSON."""
    steps = _steps(name, types)
    value = ".".join(_identifier(step) for step in steps)
    if len(steps) > 1 and "[]" in types.get(steps[0], ""):  # a list of structs, read as JSON
        paths = _Paths()
        text = _json_value(meaning, steps, paths, numbers)
        whole = f"(SELECT json_object({quote(steps[0])}, {_identifier(steps[0])}) AS js)"
        return f"(SELECT {text} FROM {paths.read_from(whole)})"
    if types.get(name, "").endswith("[]"):
        text = f"to_json({value})::VARCHAR" if meaning.startswith(ATTRIBUTE) else _listed(meaning, value)
    else:
        text = f"{value}::VARCHAR"
    if meaning in numbers:
        is_number = f"typeof({value}) IN ('DOUBLE', 'FLOAT') OR typeof({value}) LIKE 'DECIMAL%'"
        text = f"if({is_number}, {_program_number(text)}, {text})"
    return f"nullif({text}, '')"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _listed(meaning: str, elements: str) -> str:
    return f"array_to_string(list_filter({elements}, x -> x IS NOT NULL), {_SEPARATORS.get(meaning, _SPACE)})"
