"""Look into the lake with SQL: one reading statement at a time, bounded in rows, memory and time."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import duckdb
import polars as pl

from warehouse.console.external_tables import OutsideTable, attach_outside, parts
from warehouse.console.statement_guard import check_tables, parse
from warehouse.errors import WarehouseError
from warehouse.lake.lake import Lake, quote
from warehouse.paths import plain_path
from warehouse.settings import SqlSettings

_NESTED = {"list", "array", "struct", "map"}
# Types that Polars does not have.
_AS_TEXT = {"interval", "time with time zone", "bit", "bignum", "union", "variant", "geometry"}
_WAIT_S = 0.05


class Answer(NamedTuple):
    """Hold a query's result, and whether it was cut at the row limit."""

    frame: pl.DataFrame
    truncated: bool


def query(
    lake: Lake,
    sql: str,
    settings: SqlSettings,
    *,
    snapshot: int | None = None,
    extra: Mapping[str, OutsideTable] | None = None,
) -> Answer:
    """Answer one statement that only reads: SELECT, EXPLAIN, DESCRIBE, SHOW or SUMMARIZE.

    Args:
        lake: The lake; its tables are `schema.table`.
        sql: The statement, in DuckDB's SQL.
        settings: The bounds; a longer result is cut at `max_rows`.
        snapshot: The snapshot of the lake to read; default: the newest.
        extra: External tables by `catalog.table`, such as `vectors.products`. DuckDB loads only the columns that the
            statement needs, and only of tables that it names.

    Raises:
        WarehouseError: The statement is refused or wrong, or needs more memory or time than it may use.
    """
    outside = dict(extra or {})
    statement = parse(sql)
    with lake.reading(snapshot, is_sealed=True) as connection:
        if statement.lists_tables:
            return Answer(_describe(connection, outside), truncated=False)
        lake_tables = {(schema.lower(), name.lower()) for schema, name, _ in _tables(connection)}
        check_tables(statement, lake_tables | {parts(name) for name in outside}, catalog="lake")
        opened = [
            attach_outside(connection, name, table)
            for name, table in outside.items()
            if parts(name) in statement.tables
        ]
        lock(connection, lake, settings)
        try:
            with _time_limit(connection, settings.timeout_s):
                if statement.explains:
                    return Answer(connection.execute(statement.sql).pl(), truncated=False)
                frame = _portable(connection.sql(statement.sql).limit(settings.max_rows + 1)).pl()
        except duckdb.OutOfMemoryException as error:
            raise WarehouseError(
                f"the query needs more than {settings.memory_gb:g} GB of memory",
                "ask for fewer rows or columns, or raise the setting sql.memory_gb",
            ) from error
        except duckdb.IOException as error:
            failed = next((table.failure for table in opened if table.failure), None)
            hint = "a file of the lake is lost or damaged: put a copy of the home in its place"
            raise failed or WarehouseError(_one_line(error), hint) from error
        except duckdb.Error as error:
            failed = next((table.failure for table in opened if table.failure), None)
            raise failed or WarehouseError(
                _one_line(error), "list tables with SHOW TABLES, columns with DESCRIBE"
            ) from error
    return Answer(frame.head(settings.max_rows), truncated=frame.height > settings.max_rows)


def lock(connection: duckdb.DuckDBPyConnection, lake: Lake, settings: SqlSettings) -> None:
    """Cut off a connection from everything but the attached lake; attach before, since the catalog cannot be opened later."""
    connection.execute(f"SET memory_limit = '{settings.memory_gb}GB'")
    connection.execute("SET temp_directory = ''")  # no spilling: a query can fill memory up to its limit, never a disk
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET allow_community_extensions = false")
    connection.execute(f"SET allowed_directories = [{quote(f'{plain_path(lake.data)}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


@contextmanager
def _time_limit(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt the connection's statement after a time limit.

    Raises:
        WarehouseError: The statement exceeded the limit.
    """
    ended, expired = threading.Event(), threading.Event()

    def watch() -> None:
        if not ended.wait(seconds):
            expired.set()
            while not ended.wait(_WAIT_S):  # repeatedly, since an interrupt between two statements has no effect
                connection.interrupt()

    watcher = threading.Thread(target=watch, name="sql-time-limit", daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not expired.is_set():
            raise
        raise WarehouseError(
            f"the query ran longer than {seconds:g} s", "make the query smaller, or raise the setting sql.timeout_s"
        ) from error
    finally:
        ended.set()
        watcher.join()


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None]]:
    """Return schema, name and comment of every table and view of the lake."""
    return connection.execute(
        "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE database_name = 'lake' UNION ALL "
        "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE database_name = 'lake' ORDER BY ALL"
    ).fetchall()


def _describe(connection: duckdb.DuckDBPyConnection, outside: Mapping[str, OutsideTable]) -> pl.DataFrame:
    """Return every table with its row count and the first paragraph of its description."""
    tables = _tables(connection)
    counts = " UNION ALL ".join(f'SELECT count(*) FROM "{schema}"."{name}"' for schema, name, _ in tables)
    row_counts = [count for (count,) in connection.execute(counts).fetchall()] if tables else []
    rows = [
        (f"{schema}.{name}", count, text and " ".join(text.split("\n\n")[0].split()))
        for (schema, name, text), count in zip(tables, row_counts, strict=True)
    ]
    rows += [(name, table.rows(), table.description) for name, table in outside.items()]
    return pl.DataFrame(rows, {"table": pl.String, "rows": pl.Int64, "description": pl.String}, orient="row")


def _portable(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Cast columns of types that Polars lacks to text."""
    texts = [_needs_text(kind) for kind in relation.types]
    if not any(texts):
        return relation
    columns = zip(relation.columns, texts, strict=True)
    return relation.project(
        ", ".join(
            f'CAST(#{place} AS VARCHAR) AS "{name.replace(chr(34), chr(34) * 2)}"' if text else f"#{place}"
            for place, (name, text) in enumerate(columns, start=1)
        )
    )


def _needs_text(kind: Any) -> bool:
    return kind.id in _AS_TEXT or (
        kind.id in _NESTED and any(_needs_text(child) for _, child in kind.children if hasattr(child, "id"))
    )


def _one_line(error: duckdb.Error) -> str:
    """Return the message of a DuckDB error without its kind and without the excerpt of the query."""
    text = str(error).split("\nLINE ")[0].split("\n\nAt:")[0]
    kind, colon, rest = text.partition(": ")
    return " ".join((rest if colon and kind.endswith("Error") else text).split())
