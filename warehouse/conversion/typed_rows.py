"""Typed rows: what the conversions of judgements and of clicks share: one form of rows, queries, ids and splits."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import polars as pl

from warehouse.declaration.columns import MISSHAPEN
from warehouse.declaration.locales import locale_sql
from warehouse.declaration.problems import PROBLEM_SCHEMA
from warehouse.declaration.source import OPTIONAL, REQUIRED, Source
from warehouse.lake import tables
from warehouse.lake.lake import scalar
from warehouse.transform.text_cleaning import clean_line

TEST_PERCENT = 20
"""Share of the queries that become test queries where no split is declared, in percent."""
_BATCH_ROWS = 50_000


@contextmanager
def typing_rows(connection: duckdb.DuckDBPyConnection, source: Source, rows: str) -> Iterator[set[str]]:
    """Yield the declared columns; the connection has what the SQL of the conversions reads, until the end.

    That is the macros, the view `source_rows` with every column that the kind may have (null if not declared; locales in
    normal form), and the table `folded_queries` (locale, query, folded, number, split): clean text in lower case, or null
    if the query is blank, the derived id, and the derived split.
    """
    connection.execute(tables.sql("conversion.macros"))
    declared = {str(name) for name, *_ in connection.execute(f'DESCRIBE "{rows}"').fetchall()}
    columns = ", ".join(f"NULL::VARCHAR AS {name}" for name in (*REQUIRED[source.kind], *OPTIONAL[source.kind]))
    before = _temporary(connection)
    try:
        connection.execute(
            f"CREATE TEMP VIEW source_rows AS SELECT * REPLACE ({locale_sql('locale')} AS locale) "
            f'FROM (SELECT {columns} WHERE false UNION ALL BY NAME FROM "{rows}")'
        )
        _fold_queries(connection)
        yield declared
    finally:
        for name, kind in reversed(_temporary(connection).items()):
            if name not in before:
                connection.execute(f'DROP {kind} temp."{name}"')


def make(connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any], file: str = "") -> None:
    """Create a temporary table by a file in `warehouse/sql/sources`, default: the one of its name."""
    query = tables.sql(f"conversion.{file or name}")
    bound = {key: value for key, value in parameters.items() if f"${key}" in query}
    connection.execute(f"CREATE TEMP TABLE {name} AS {query}", bound)


def problems_of(connection: duckdb.DuckDBPyConnection, *queries: str) -> pl.DataFrame:
    """Return the problems that the queries select, and those of nested values, in the order of the files and their rows."""
    present = {name for name, *_ in connection.execute("DESCRIBE source_rows").fetchall()}
    misshapen = (
        [f"SELECT file, row, unnest({MISSHAPEN}, recursive := true) FROM source_rows"] if MISSHAPEN in present else []
    )
    union = " UNION ALL ".join(f"({query})" for query in (*queries, *misshapen))
    frame = connection.sql(f'SELECT file, row, "column", value, rule FROM ({union}) ORDER BY ALL').pl()
    return frame.cast(pl.Schema(PROBLEM_SCHEMA))


def split_note(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the sentence about the derived split of the table `judgements`."""
    of, test = (
        scalar(connection, f"SELECT count(DISTINCT (product_locale, query_id)) FROM judgements WHERE {where}")
        for where in ("true", "split = 'test'")
    )
    return f"split by hash of query and locale: {TEST_PERCENT} % test, here {test:,} of {of:,} queries"


def _fold_queries(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `folded_queries` in batches, since the text is cleaned outside the database."""
    connection.execute(
        "CREATE TEMP TABLE folded_queries (locale VARCHAR, query VARCHAR, folded VARCHAR, number BIGINT, split VARCHAR)"
    )
    connection.execute(
        "CREATE TEMP TABLE queries AS SELECT DISTINCT locale, query FROM source_rows WHERE query IS NOT NULL"
    )
    for start in range(0, scalar(connection, "SELECT count(*) FROM queries"), _BATCH_ROWS):
        queries = connection.execute("FROM queries WHERE rowid >= $1 AND rowid < $1 + $2", [start, _BATCH_ROWS])
        connection.register("cleaned", queries.pl().with_columns(line=clean_line("query")))
        connection.execute(
            "INSERT INTO folded_queries SELECT locale, query, lower(line) AS folded, "
            "number_of(concat(locale, ':', folded)), if(is_test(locale, folded, $1), 'test', 'train') FROM cleaned",
            [TEST_PERCENT],
        )
        connection.unregister("cleaned")


def _temporary(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the temporary tables and views by name, each with its kind."""
    names = connection.execute(
        "SELECT table_name, if(table_type = 'VIEW', 'VIEW', 'TABLE') FROM information_schema.tables "
        "WHERE table_catalog = 'temp' ORDER BY table_type"
    )
    return dict(names.fetchall())
