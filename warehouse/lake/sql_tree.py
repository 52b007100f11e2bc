"""SQL parse trees from DuckDB's own parser: the tables in a query, and a digest without comments and formatting."""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from warehouse.errors import WarehouseError

_PLACES = ("query_location",)


def restrict(connection: duckdb.DuckDBPyConnection, sql: str, conditions: Mapping[str, str]) -> str:
    """Return a query restricted to the rows of some tables for which a condition holds.

    Each table gets a temporary view of those rows, `temp."schema.table"`, which replaces the table in the query. The
    conditions of later tables may use the view.

    Raises:
        WarehouseError: The query does not read one of the tables.
    """
    text = sql.encode()
    for place, table in sorted(_tables(sql), reverse=True):
        if table in conditions:
            text = text[:place] + f'temp."{table}"'.encode() + text[place + len(table) :]
    missing = set(conditions) - {table for _, table in _tables(sql)}
    if missing:
        raise WarehouseError(
            f"the SQL of a derived table does not read {', '.join(sorted(missing))}",
            "correct the sources of the table in warehouse/lake/dependencies.py",
        )
    for table, condition in conditions.items():
        connection.execute(f'CREATE OR REPLACE TEMP VIEW "{table}" AS SELECT * FROM {table} WHERE {condition}')
    return text.decode()


def tables_read(sql: str) -> set[str]:
    """Return the tables of the lake that a query reads, as `schema.table`."""
    return {table for _, table in _tables(sql)}


@functools.cache
def sql_digest(sql: str) -> str:
    """Return 16 hex digits that identify a query, independent of comments and line breaks."""
    parsed = json.dumps(_without_places(_parsed(sql)), sort_keys=True)
    return hashlib.sha256(parsed.encode()).hexdigest()[:16]


@functools.cache
def _tables(sql: str) -> frozenset[tuple[int, str]]:
    """Return the byte offset and the name of each table in a query."""
    return frozenset(
        (node["query_location"], f"{node['schema_name']}.{node['table_name']}")
        for node in _nodes(_parsed(sql))
        if node.get("type") == "BASE_TABLE" and node["schema_name"]
    )


@functools.cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@functools.cache
def _parsed(sql: str) -> Any:
    row = _parser().execute("SELECT json_serialize_sql(?)::VARCHAR", [sql]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        raise WarehouseError(
            f"the SQL query cannot be parsed: {tree.get('error_message')}", "write a single SELECT statement"
        )
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def _without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _without_places(part) for name, part in tree.items() if name not in _PLACES}
    return [_without_places(part) for part in tree] if isinstance(tree, list) else tree
