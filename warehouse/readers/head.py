"""Head of a source file: its first rows as a frame of text, for a look at what the columns hold."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import duckdb
import polars as pl

from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.readers.format_detection import SourceFile
from warehouse.readers.format_readers import parquet_types

HEAD_ROWS = 1_000
_MOST_CHARS = 1 << 24


def head(connection: duckdb.DuckDBPyConnection, file: SourceFile, rows: int = HEAD_ROWS) -> pl.DataFrame:
    """Return the first rows of a file as text: a column for each of the file's, of nested values one for each path."""
    if file.format == "csv":
        width = len(file.names)
        records = (record for _, record in islice(file.records(), rows))
        whole: list[dict[str, str | None]] = [
            dict(zip(file.names, record, strict=True)) for record in records if len(record) == width
        ]
        return _frame(whole, file.names)
    if file.format == "json":
        flat = [dict(_leaves(each)) for each in islice(_objects(file), rows)]
    else:
        parquet_types(connection, file.path)  # refuses a corrupt file by name
        path = quote(str(plain_path(file.path)))
        text = connection.sql(f"SELECT to_json(t)::VARCHAR FROM (SELECT * FROM read_parquet({path}) LIMIT {rows}) AS t")
        flat = [dict(_leaves(json.loads(row))) for (row,) in text.fetchall()]
    return _frame(flat, tuple(dict.fromkeys(name for each in flat for name in each)))


def _frame(rows: list[dict[str, str | None]], names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: [row.get(name) or None for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    )


def _objects(file: SourceFile) -> Iterator[Any]:
    """Yield the JSON objects of a file as long as they can be read."""
    with file.text() as text:
        if not file.is_array:
            for line in text:
                if line.strip():
                    try:
                        yield json.loads(line.lstrip("\ufeff"))
                    except ValueError:
                        return
            return
        beginning, decoder = text.read(_MOST_CHARS), json.JSONDecoder()
        position = beginning.find("[") + 1
        while True:
            while beginning[position : position + 1] in (" ", "\n", "\r", "\t", ","):
                position += 1
            try:
                value, position = decoder.raw_decode(beginning, position)
            except ValueError:
                return
            yield value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield the values of an object by their paths, as text; a list as JSON, one of objects as the lists of their values."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif path and isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        objects = [each for each in value if isinstance(each, Mapping)]
        for name in dict.fromkeys(str(name) for each in objects for name in each):
            values = [each[name] for each in objects if each.get(name) is not None]
            if not any(isinstance(each, Mapping | list) for each in values):
                yield (
                    f"{path}.{name}",
                    json.dumps([str(each) for each in values], ensure_ascii=False) if values else None,
                )
    elif path:
        yield path, value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
