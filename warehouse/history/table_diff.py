"""Table diff: the differences of a table between two snapshots, by key and by column."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import duckdb

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.errors import WarehouseError
from warehouse.features import feature_views
from warehouse.json_rows import json_rows
from warehouse.lake import catalog, change_feed
from warehouse.lake.lake import Lake, scalar
from warehouse.lake.tables import Written
from warehouse.transform.content_hash import CLEANED, content_sql

_CATALOG = "__ducklake_metadata_lake"

Change = Literal["added", "removed", "changed"]
Columns = dict[tuple[str, str], dict[str, str]]
"""Types of columns by name, of each (catalog, table)."""


class Value(NamedTuple):
    """Hold the values of a column before and after, as JSON values; None on a side without the row."""

    old: Any
    new: Any


@dataclass(frozen=True)
class RowChange:
    """Name a changed row, and the columns in which it differs."""

    key: str
    change: Change
    columns: dict[str, Value]


@dataclass(frozen=True)
class Difference:
    """Count the differences of a table between two snapshots.

    A changed row has the same key and another value in a column of both snapshots. `columns` counts the changed rows by
    column. Columns of only one snapshot are named and not compared.
    """

    table: str
    before: int
    after: int
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    columns_added: list[str]
    columns_removed: list[str]
    rows: list[RowChange]


def difference(lake: Lake, table: str, before: int, after: int, limit: int = 20) -> Difference:
    """Compare a table as of two snapshots, and list the first `limit` differing rows by key.

    Raises:
        WarehouseError: There is no such table, or no such snapshot.
    """
    with lake.comparing(before, after) as connection:
        contracts = _contracts(connection)
        if table not in contracts:
            raise _unknown(table, contracts)
        comparison = _Comparison(connection, contracts[table], _columns(connection))
        if not (comparison.old or comparison.new):
            raise WarehouseError(
                f"neither snapshot {before} nor snapshot {after} has the table {table}",
                "list the changed tables with: stockroom snapshots",
            )
        counts = comparison.counts()
        by_column = comparison.by_column() if counts.updated else {}
        return Difference(
            table=table,
            before=before,
            after=after,
            added=counts.inserted,
            removed=counts.deleted,
            changed=counts.updated,
            columns={name: rows for name, rows in by_column.items() if rows},
            columns_added=[name for name in comparison.new if name not in comparison.old and comparison.old],
            columns_removed=[name for name in comparison.old if name not in comparison.new and comparison.new],
            rows=comparison.rows(limit),
        )


def written(lake: Lake, before: int, without: Collection[str] = ()) -> dict[str, Written]:
    """Count the changes after a snapshot in each changed table that has a contract.

    Tables without writes since are not read. Of the others only the rows in the change feed are read, if it is complete.
    """
    with lake.reading() as connection:
        state, contracts = catalog.state(connection), feature_views.contracts(connection)
        changed = [table for table in contracts if table not in without and state.last_changes.get(table, 0) > before]
        counts: dict[str, Written | None] = {}
        for table in changed:
            content = content_sql() if table in CLEANED else INPUT_HASH
            counts[table] = change_feed.count_changes(connection, contracts[table], before, content, state)
        newest, dropped_tables = state.snapshot, _dropped_tables(connection, before)
    compared = {table for table, count in counts.items() if count is None} | (dropped_tables - set(without))
    if compared:
        with lake.comparing(before, newest) as connection:
            columns, contracts = _columns(connection), _contracts(connection)
            compared_contracts = [contract for table, contract in contracts.items() if table in compared]
            counts |= {each.table: _Comparison(connection, each, columns).counts() for each in compared_contracts}
    return {table: count for table in contracts if (count := counts.get(table)) and any(count)}


def _dropped_tables(connection: duckdb.DuckDBPyConnection, since: int) -> set[str]:
    """Return the tables that were dropped after a snapshot."""
    rows = connection.execute(
        f"SELECT schema_name || '.' || table_name FROM {_CATALOG}.ducklake_table AS tables "
        f"JOIN {_CATALOG}.ducklake_schema USING (schema_id) WHERE tables.end_snapshot > ? "
        f"AND table_id NOT IN (SELECT table_id FROM {_CATALOG}.ducklake_table WHERE end_snapshot IS NULL)",
        [since],
    ).fetchall()
    return {name for (name,) in rows}


class _Comparison:
    """Compare one table in the catalogs `earlier` and `lake` of a connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, contract: Contract, columns: Columns) -> None:
        self._connection = connection
        self._key = contract.key
        self._table = contract.table
        self.old, self.new = (columns.get((catalog, contract.table), {}) for catalog in ("earlier", "lake"))
        self._shared = [name for name in self.old if name in self.new and name != self._key]

    def counts(self) -> Written:
        """Return how many rows were inserted, updated and deleted."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE changed_rows AS SELECT key, "
            "CASE WHEN old IS NULL THEN 'added' WHEN new IS NULL THEN 'removed' ELSE 'changed' END AS change "
            f"FROM ({self._hashes('earlier', 'old', self.old)}) FULL JOIN ({self._hashes('lake', 'new', self.new)}) USING (key) "
            "WHERE old IS DISTINCT FROM new"
        )
        self._drop_equal_rows()
        counts: dict[str, int] = dict(
            self._connection.execute("SELECT change, count(*) FROM changed_rows GROUP BY change").fetchall()
        )
        return Written(counts.get("added", 0), counts.get("changed", 0), counts.get("removed", 0))

    def _drop_equal_rows(self) -> None:
        """Drop changed rows of equal content, which other inputs or other rules often produce."""
        if not self._shared or not scalar(
            self._connection, "SELECT count(*) FROM changed_rows WHERE change = 'changed'"
        ):
            return
        differ = " OR ".join(map(self._differs, self._shared))
        differing_keys = f'SELECT "{self._key}" FROM {self._both("changed_rows")} AND ({differ})'
        self._connection.execute(f"DELETE FROM changed_rows WHERE change = 'changed' AND key NOT IN ({differing_keys})")

    def by_column(self) -> dict[str, int]:
        """Return the number of changed rows by column, after `counts`."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE chosen AS SELECT key FROM changed_rows WHERE change = 'changed'"
        )
        counts = ", ".join(f"count(*) FILTER ({self._differs(name)})" for name in self._shared)
        row = self._connection.execute(f"SELECT {counts} FROM {self._both('chosen')}").fetchone() or ()
        return dict(zip(self._shared, row, strict=True))

    def rows(self, limit: int) -> list[RowChange]:
        """Return the first differing rows by key with their values, after `counts`."""
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE chosen AS FROM changed_rows ORDER BY key LIMIT ?", [limit]
        )
        listed: list[tuple[str, Change]] = self._connection.execute("FROM chosen ORDER BY key").fetchall()
        old, new = self._values("earlier", self.old), self._values("lake", self.new)
        return [
            RowChange(key, change, self._pairs(change, old.get(key, {}), new.get(key, {}))) for key, change in listed
        ]

    def _pairs(self, change: Change, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Value]:
        names = self._shared if change == "changed" else [name for name in (old or new) if name != self._key]
        values = {name: Value(old.get(name), new.get(name)) for name in names}
        return {name: value for name, value in values.items() if value.old != value.new}

    def _values(self, catalog: str, columns: dict[str, str]) -> dict[str, dict[str, Any]]:
        if not columns:
            return {}
        names = ", ".join(f'"{name}"' for name in columns)
        rows = self._connection.sql(
            f'SELECT {names} FROM {catalog}.{self._table} WHERE "{self._key}" IN (SELECT key FROM chosen)'
        )
        return {row[self._key]: row for row in json_rows(rows.pl())}

    def _hashes(self, catalog: str, name: str, columns: dict[str, str]) -> str:
        if not columns:
            return f"SELECT NULL::VARCHAR AS key, NULL::VARCHAR AS {name} LIMIT 0"
        return f'SELECT "{self._key}" AS key, {INPUT_HASH} AS {name} FROM {catalog}.{self._table}'

    def _both(self, keys: str) -> str:
        """Return the FROM and WHERE clauses that pair the old and new rows with the keys of a temporary table."""
        return (
            f'earlier.{self._table} AS old JOIN lake.{self._table} AS new USING ("{self._key}") '
            f'WHERE "{self._key}" IN (SELECT key FROM {keys})'
        )

    def _differs(self, name: str) -> str:
        as_text = "" if self.old[name] == self.new[name] else "::VARCHAR"
        return f'old."{name}"{as_text} IS DISTINCT FROM new."{name}"{as_text}'


def _columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    """Return the column types of every table in both states of the lake, without the input hash."""
    types: Columns = {}
    for lake, table, name, kind in connection.execute(
        "SELECT database_name, schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name IN ('earlier', 'lake') AND column_name <> ? ORDER BY column_index",
        [INPUT_HASH],
    ).fetchall():
        types.setdefault((lake, table), {})[name] = kind
    return types


def _contracts(connection: duckdb.DuckDBPyConnection) -> dict[str, Contract]:
    """Return the contracts of both snapshots, including time-series tables that only one of them declares."""
    return feature_views.contracts(connection, "earlier") | feature_views.contracts(connection)


def _unknown(table: str, names: Iterable[str]) -> WarehouseError:
    near = difflib.get_close_matches(table.lower(), names, n=3, cutoff=0.5)
    same = [name for name in names if name.split(".")[1] == table.lower().split(".")[-1]]
    likely = ", ".join(dict.fromkeys([*near, *same]))
    return WarehouseError(
        f"the table {table} does not exist",
        f"did you mean {likely}?" if likely else f"the tables are: {', '.join(names)}",
    )
