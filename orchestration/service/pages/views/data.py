"""The content of the data pages: SQL in the sandbox, ready-made questions, and the tables of the lake."""

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
from warehouse.contracts.contract import Contract
from warehouse.errors import WarehouseError
from warehouse.features import drift, feature_statistics, feature_views
from warehouse.home import Home
from warehouse.json_rows import json_rows
from warehouse.lake import catalog, tables
from warehouse.operations.release_views import published_tables
from warehouse.settings import SqlSettings

SHOWN_ROWS = 200
_MOST_CHARS = 20_000  # of a statement
_AT_ONCE = 2  # statements of pages
_WAIT_S = 5.0
_RUNNING = BoundedSemaphore(_AT_ONCE)
_STATISTICS = ("rows", "null_share", "distinct_count", "minimum", "q50", "mean", "maximum", "top_values")


class BusyError(WarehouseError):
    """Say that as many statements run as may run at once."""


class UnknownTableError(WarehouseError):
    """Say that the lake has no such table."""


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


@dataclass(frozen=True)
class Table:
    """Show a table of the lake in a list: its name, the meaning of one row, its rows (None: not counted) and columns."""

    name: str
    grain: str
    rows: int | None
    columns: int


@dataclass(frozen=True)
class Column:
    """Show a column of a table.

    Attributes:
        name: its name.
        type: its SQL type.
        meaning: what the contract says it means.
        is_nullable: whether it may be null.
        tower: how the towers read it; None: no tower does.
        statistics: the statistics of its newest recorded version over all locales; None: they are not recorded.
    """

    name: str
    type: str
    meaning: str
    is_nullable: bool
    tower: str | None
    statistics: dict[str, Any] | None


@dataclass(frozen=True)
class TableDetails:
    """Show one table: its contract, number of rows, columns, and the drift of its newest version."""

    contract: Contract
    rows: int | None
    columns: list[Column]
    drift: list[dict[str, Any]]


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


def all_tables(home: Home) -> dict[str, list[Table]]:
    """Return the tables of the lake by schema, and those of the vectors."""
    with home.lake.reading() as connection:
        counts, contracts = catalog.row_counts(connection), feature_views.contracts(connection)
    every = [
        Table(name, contracts[name].grain, rows, len(contracts[name].columns))
        for name, rows in sorted(counts.items())
        if name in contracts
    ]
    every += [
        Table(name, table.description, table.rows(), len(table.schema()))
        for name, table in published_tables(home).items()
    ]
    by_schema: dict[str, list[Table]] = {}
    for each in every:
        by_schema.setdefault(each.name.split(".")[0], []).append(each)
    return by_schema


def details(home: Home, name: str) -> TableDetails:
    """Return one table of the lake.

    Raises:
        UnknownTableError: The lake has no such table.
    """
    with home.lake.reading() as connection:
        counts, contracts = catalog.row_counts(connection), feature_views.contracts(connection)
        if name not in counts or name not in contracts:
            raise UnknownTableError(f"the lake has no table {name[:80]!r}", "choose one of the list of tables")
        contract, statistics = contracts[name], {}
        is_counted = tables.exists(connection, feature_statistics.STATS.table)
        history = feature_statistics.versions(connection, name) if is_counted else []
        if history:
            newest = feature_statistics.stats(connection, name, history[-1])
            statistics = {row["column_name"]: row for row in newest.to_dicts() if row["locale"] == "all"}
        has_drift = tables.exists(connection, drift.DRIFT.table)
    live = home.releases.live()
    drifted = drift.drift(home.lake, [live.model_id] if live else []) if has_drift else None
    own = [row for row in drifted.to_dicts() if row["table_name"] == name] if drifted is not None else []
    columns = [
        Column(
            column,
            contract.sql_type(column),
            contract.meaning(column),
            declared.nullable,
            (declared.metadata or {}).get("tower"),
            {each: statistics[column][each] for each in _STATISTICS} if column in statistics else None,
        )
        for column, declared in contract.columns.items()
    ]
    return TableDetails(contract, counts[name], columns, own)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for a turn: each statement may use as much memory as the setting sql.memory_gb."""
    if not _RUNNING.acquire(timeout=_WAIT_S):
        raise BusyError(f"{_AT_ONCE} statements run already", "ask again when one of them has ended")
    try:
        yield
    finally:
        _RUNNING.release()
