"""The content of the pages of the lake's tables."""

from dataclasses import dataclass
from typing import Any

from warehouse.contracts.contract import Contract
from warehouse.errors import WarehouseError
from warehouse.features import drift, feature_statistics, feature_views
from warehouse.home import Home
from warehouse.lake import catalog, tables
from warehouse.operations.release_views import published_tables

_STATISTICS = ("rows", "null_share", "distinct_count", "minimum", "q50", "mean", "maximum", "top_values")


class UnknownTableError(WarehouseError):
    """Say that the lake has no such table."""


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
