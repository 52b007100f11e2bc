"""Queries: the texts of a file that names each query once, for judgements that have its id alone."""

from collections.abc import Sequence

import duckdb

from warehouse.declaration.locales import locale_sql


def create_queries(connection: duckdb.DuckDBPyConnection, views: Sequence[str]) -> None:
    """Create the table `query_texts` (query_id, locale, query, split) of the rows of sources; the first row of an id counts.

    The locale and the split are null where no source declares them.
    """
    columns = (
        "SELECT NULL::VARCHAR AS query_id, NULL::VARCHAR AS query, NULL::VARCHAR AS locale, NULL::VARCHAR AS split"
    )
    rows = " UNION ALL BY NAME ".join(
        f"SELECT {number} AS view_number, * FROM {view}" for number, view in enumerate(views)
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE query_texts AS SELECT trim(query_id) AS query_id, locale, query, split "
        f"FROM ({columns} WHERE false UNION ALL BY NAME {rows}) WHERE query_id IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY trim(query_id), locale ORDER BY view_number, file_number, row) = 1"
    )


def with_queries(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """Create a view of rows of judgements with the query of their query_id, null if it has none, and return its name.

    A split or a locale that the rows lack is that of the query. Where both have a locale it must be the same.
    """
    name = f"{rows}_with_queries"
    present = {str(column) for column, *_ in connection.execute(f"DESCRIBE {rows}").fetchall()}
    taken = ["query"]
    for column in ("locale", "split"):
        if (
            column not in present
            and connection.execute(f"FROM query_texts WHERE {column} IS NOT NULL LIMIT 1").fetchone()
        ):
            taken.append(column)
    texts, same = "(SELECT DISTINCT ON (query_id) * FROM query_texts)", ""
    if "locale" in present:
        texts = "query_texts"
        same = f" AND (texts.locale IS NULL OR {locale_sql('texts.locale')} = {locale_sql('rows.locale')})"
    columns = ", ".join(f"texts.{column}" for column in taken)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT rows.*, {columns} FROM {rows} AS rows "
        f"LEFT JOIN {texts} AS texts ON trim(rows.query_id) = texts.query_id{same}"
    )
    return name
