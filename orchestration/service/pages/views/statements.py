"""The content of the SQL page: statements in the sandbox, and ready-made questions."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from orchestration.service.pages.bar_chart import Bar, bars
from orchestration.service.pages.rendering import cell
from warehouse import home_format
from warehouse.console.named_queries import NamedQuery, named_queries
from warehouse.console.sql_console import query as ask
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.json_rows import json_rows
from warehouse.operations.release_views import published_tables
from warehouse.settings import SqlSettings

SHOWN_ROWS = 200
_MOST_CHARS = 20_000  # of a statement
_AT_ONCE = 2  # statements of pages
_WAIT_S = 5.0
_RUNNING = BoundedSemaphore(_AT_ONCE)


class BusyError(WarehouseError):
    """Say that as many statements run as may run at once."""


@dataclass(frozen=True)
class Result:
    """Show what a statement returned.

    Attributes:
        columns: name of each column, and whether it holds numbers.
        rows: the first 200 rows, as values that JSON can hold.
        count: number of rows.
        is_cut: whether there are more rows than the setting sql.max_rows lets through.
        chart: bars of the rows, of a result with a label and a number.
    """

    columns: list[tuple[str, bool]]
    rows: list[list[Any]]
    count: int
    is_cut: bool
    chart: list[Bar]


def questions() -> list[NamedQuery]:
    """Return the ready-made questions, by name."""
    return list(named_queries().values())


def answer(home: Home, sql: str, settings: SqlSettings, *, named: str | None = None) -> Result:
    """Answer a statement as `stockroom sql` does, within the same bounds.

    Args:
        home: The home.
        sql: The statement; without effect if `named` is given.
        settings: The bounds.
        named: Name of a ready-made question to ask instead.

    Raises:
        WarehouseError: The statement is refused or wrong, or needs more than it may use; there is no such question.
        BusyError: Two statements run already.
    """
    if named is not None:
        ready = named_queries()
        if named not in ready:
            raise WarehouseError(f"there is no question {named[:60]!r}", "choose one of the list")
        sql = ready[named].sql
    if len(sql) > _MOST_CHARS:
        raise WarehouseError(f"the statement has {len(sql):,} characters", f"use at most {_MOST_CHARS:,}")
    with _turn(), home_format.reading(home.root) if named else nullcontext():
        answered = ask(home.lake, sql, settings, extra=published_tables(home))
    frame = answered.frame
    rows = [list(row.values()) for row in json_rows(frame.head(SHOWN_ROWS))]
    numeric = [kind.is_numeric() for kind in frame.schema.values()]
    is_chart = len(numeric) == 2 and numeric[1] and len(rows) > 1
    return Result(
        list(zip(frame.columns, numeric, strict=True)),
        rows,
        frame.height,
        answered.truncated,
        bars([(cell(label), value) for label, value in rows]) if is_chart else [],
    )


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for a turn: each statement may use as much memory as the setting sql.memory_gb."""
    if not _RUNNING.acquire(timeout=_WAIT_S):
        raise BusyError(f"{_AT_ONCE} statements run already", "ask again when one of them has ended")
    try:
        yield
    finally:
        _RUNNING.release()
