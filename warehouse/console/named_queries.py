"""Named queries: ready-made SQL files that inspect the lake, in `sql/named_queries/`."""

from importlib.resources import files
from typing import NamedTuple

_FOLDER = files("warehouse").joinpath("sql", "named_queries")
_COLUMNS = "-- Columns:"


class NamedQuery(NamedTuple):
    """Hold a ready-made query: its name, its question, the columns of its result, and its SQL."""

    name: str
    answers: str
    columns: tuple[str, ...]
    sql: str


def named_queries() -> dict[str, NamedQuery]:
    """Return the queries by name, in order of name."""
    names = sorted(file.name.removesuffix(".sql") for file in _FOLDER.iterdir() if file.name.endswith(".sql"))
    return {name: _read(name) for name in names}


def _read(name: str) -> NamedQuery:
    """Read one file: the first line is its question, the second lists its columns."""
    sql = _FOLDER.joinpath(f"{name}.sql").read_text(encoding="utf-8")
    answers, columns, *_ = sql.splitlines()
    listed = columns.removeprefix(_COLUMNS).split(",")
    return NamedQuery(name, answers.removeprefix("--").strip(), tuple(column.strip() for column in listed), sql)
