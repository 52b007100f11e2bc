"""Previews: the first rows of a table as a Markdown table."""

from collections.abc import Iterable, Sequence

import duckdb

_ROWS, _CHARS = 5, 60


def preview(connection: duckdb.DuckDBPyConnection, table: str, since: int | None = None) -> str:
    """Return the first five rows of a table as Markdown; long values are cut at 60 characters.

    With `since`, only rows written after that snapshot of the lake count, so that no older file is opened.
    """
    condition = "" if since is None else f"WHERE snapshot_id > {since} "
    cursor = connection.execute(f"SELECT * FROM {table} {condition}LIMIT {_ROWS}")
    return markdown_table([column[0] for column in cursor.description], cursor.fetchall())


def markdown_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as Markdown; long values are cut at 60 characters."""
    lines = [_line(list(names)), _line(["---"] * len(names))] + [_line([_cell(value) for value in row]) for row in rows]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
