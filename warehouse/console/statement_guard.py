"""The rules of the SQL sandbox: admit only statements that read the lake, by DuckDB's own parse tree.

DuckDB's settings alone do not keep a query from writing: with external access off, COPY may still write into an allowed
directory, and `sqlite_scan` reads the attached catalog. A statement is therefore checked before it runs.
`json_serialize_sql` yields a tree only for SELECT, DESCRIBE, SHOW and SUMMARIZE. In that tree every table must be known,
and every table function must be listed here.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.errors import WarehouseError

Name = tuple[str, ...]  # the parts of a table's name as the query spells them, in lower case: ("features", "products")

TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "json_each", "json_tree"),
        *("duckdb_tables", "duckdb_columns", "duckdb_views", "duckdb_schemas", "duckdb_functions", "duckdb_types"),
        *("snapshots", "ducklake_snapshots", "table_info", "ducklake_table_info"),
        *("table_changes", "ducklake_table_changes", "table_insertions", "ducklake_table_insertions"),
        *("table_deletions", "ducklake_table_deletions"),
    }
)
# Scalar functions of DuckDB 1.5.5 that do more than compute: bind SQL given as text, write, wait, move a sequence.
REFUSED_FUNCTIONS = frozenset({"json_serialize_plan", "write_log", "sleep_ms", "pg_sleep", "nextval", "currval"})
_INTERNAL_PREFIX = "__internal"  # functions that the optimizer inserts, without checks of their arguments
SYSTEM_VIEWS = frozenset(
    {("information_schema", view) for view in ("tables", "columns", "schemata")}
    | {(view,) for view in ("duckdb_tables", "duckdb_columns", "duckdb_views", "duckdb_schemas", "duckdb_types")}
)
_LISTINGS = frozenset({"tables", "databases", "schemas", "variables", "__show_tables_expanded"})
_PLAIN = re.compile(r"[\w $-]+")  # a name that cannot be a file's: DuckDB would read 'x.parquet' as one
_GAP = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
_EXPLAIN = re.compile(
    rf"{_GAP}*EXPLAIN\b{_GAP}*(?P<options>ANALYZE\b|\((?:ANALYZE|FORMAT\s+\w+|\s|,)*\))?(?P<inner>.*)", re.I | re.S
)
_KEYWORD = re.compile(rf"{_GAP}*(\w+)", re.S)
_HINT = "give one SELECT, EXPLAIN, DESCRIBE, SHOW or SUMMARIZE: stockroom sql only reads"


@dataclass(frozen=True)
class Statement:
    """Hold one read-only statement and the tables that it reads.

    Attributes:
        sql: The text to run.
        explains: Whether it is an EXPLAIN, for which DuckDB returns a plan instead of a relation.
        lists_tables: Whether it is SHOW TABLES.
        tables: The tables that it names, without its own common table expressions.
    """

    sql: str
    explains: bool
    lists_tables: bool
    tables: frozenset[Name]


def parse(sql: str) -> Statement:
    """Parse a statement without running it, and without access to the lake.

    Raises:
        WarehouseError: It is not one statement that only reads, or it calls a function that is not allowed.
    """
    text, options = sql, None
    with duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    ) as connection:
        tree = _tree(connection, sql)
        if tree is None and (match := _EXPLAIN.fullmatch(sql)):
            options = match["options"] or ""
            text = f"EXPLAIN {options} {match['inner']}"  # rebuilt from its parts, so that only parsed text runs
            tree = _tree(connection, match["inner"])
    if tree is None:
        raise _refusal(sql)
    nodes = list(_nodes(tree))
    for node in nodes:
        _check(node)
    own = {entry["key"].lower() for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    table_names = {_name(node) for node in nodes if node.get("type") == "BASE_TABLE"}
    for name in table_names:
        if not all(_PLAIN.fullmatch(part) for part in name):
            raise WarehouseError(
                f"{'.'.join(name)} is a file's name or address, and stockroom sql reads only tables",
                "list the tables with: SHOW TABLES",
            )
    return Statement(
        sql=text,
        explains=options is not None,
        lists_tables=options is None and _shows_tables(tree),
        tables=frozenset(name for name in table_names if len(name) > 1 or name[0] not in own),
    )


def check_tables(statement: Statement, tables: Collection[Name], catalog: str) -> None:
    """Refuse a statement that names a table other than `tables`, each given as (schema, name), in lower case.

    A query may put the catalog before the schema, and leave out the schema `main`.
    """
    spelled = SYSTEM_VIEWS | set(tables) | {(catalog, *table) for table in tables}
    for schema, table in tables:
        if schema == "main":
            spelled |= {(table,), (catalog, table)}
    for name in sorted(statement.tables - spelled):
        last = name[-1].split(".")[-1]
        same = [".".join(table) for table in sorted(tables) if table[-1] == last]
        near = same or difflib.get_close_matches(".".join(name), [".".join(table) for table in sorted(tables)])
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise WarehouseError(f"there is no table {'.'.join(name)}", f"{hint}list the tables with: SHOW TABLES")


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any] | None:
    """Return the parse tree of one SELECT, or None if the text is something else."""
    row = connection.execute(
        "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)::VARCHAR", [sql]
    ).fetchone()
    try:
        answer = json.loads(row[0]) if row else {}
    except RecursionError:
        raise WarehouseError("the query is nested too deeply", "use fewer operators in one expression") from None
    if answer.get("error_type") == "parser":
        raise WarehouseError(
            f"the SQL query cannot be parsed: {answer['error_message']}", "write the query in DuckDB's SQL"
        )
    if answer.get("error", True):
        return None
    statements = answer.get("statements", [])
    if len(statements) != 1:
        raise WarehouseError(f"expected one statement, got {len(statements)}", _HINT)
    return dict(statements[0])


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Yield every object of a parse tree, however deep: subqueries, expressions, limits, join conditions."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        function = str(node["function"].get("function_name", "")).lower()
        if function not in TABLE_FUNCTIONS:
            raise WarehouseError(
                f"the table function {function} is not allowed in stockroom sql",
                f"use one of: {', '.join(sorted(TABLE_FUNCTIONS))}",
            )
    elif kind == "SHOW_REF" and "query" not in node and node.get("show_type") != "SHOW_FROM":
        listing = str(node.get("table_name", "")).strip('"').lower()
        if listing not in _LISTINGS:
            raise WarehouseError(f"SHOW {listing} is not allowed in stockroom sql", "list the tables with: SHOW TABLES")
    elif "function_name" in node:
        function = str(node["function_name"]).lower()
        if function in REFUSED_FUNCTIONS or function.startswith(_INTERNAL_PREFIX):
            raise WarehouseError(
                f"the function {function} is not allowed in stockroom sql", "use functions that only compute"
            )


def _name(node: dict[str, Any]) -> Name:
    parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
    return tuple(part.lower() for part in parts if part)


def _shows_tables(tree: dict[str, Any]) -> bool:
    source = tree.get("node", {}).get("from_table", {})
    return (source.get("type"), source.get("table_name")) == ("SHOW_REF", '"tables"')


def _refusal(sql: str) -> WarehouseError:
    match = _KEYWORD.match(sql)
    keyword = match[1].upper() if match else "nothing"
    if re.search(r"\bpivot\b", sql, re.I):
        return WarehouseError(
            "PIVOT without its values makes a table first, and stockroom sql only reads",
            "name the values: PIVOT ... ON column IN ('a', 'b') USING sum(value)",
        )
    if keyword in {"SELECT", "FROM", "WITH", "VALUES", "TABLE", "DESCRIBE", "DESC", "SHOW", "SUMMARIZE", "UNPIVOT"}:
        return WarehouseError("the query has a statement that may change something", _HINT)
    if keyword == "EXPLAIN":
        return WarehouseError("EXPLAIN explains only statements that change nothing", _HINT)
    return WarehouseError(f"{keyword} is not allowed in stockroom sql", _HINT)
