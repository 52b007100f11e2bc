"""Products of declared sources: rows of text into the columns of raw.products, with the problems of their values."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.sources.declaration import Source
from warehouse.sources.locales import DEFAULT_LOCALE, locale_sql
from warehouse.sources.problems import PROBLEM_SCHEMA

PRODUCT_COLUMNS = {
    "product_id": "product_id",
    "title": "product_title",
    "description": "product_description",
    "bullet_points": "product_bullet_point",
    "brand": "product_brand",
    "color": "product_color",
    "locale": "product_locale",
}
"""The columns of raw.products by what a declaration calls them."""

# 12345.0 and 1.2e5 are numbers that some program has written in its own way, so that the id is lost.
DECIMAL_ID = r"-?\d+\.0+|-?\d(\.\d+)?[eE][+-]?\d+"


def create_products(connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: str) -> pl.DataFrame:
    """Create a view of the products of one source, and return the problems of its values.

    The view has file_number, file, row, the columns of raw.products, and each attribute as text (see `columns.ATTRIBUTE`). Where
    the source folds variants, rows with the same locale and product_id become one: the first of each column's values that is
    not blank, in the order of the files.

    Args:
        connection: A connection.
        name: The name of the view.
        source: The declaration.
        rows: The view of the source's rows, see `rows.create_view`.
    """
    present = [column for (column, *_) in connection.execute(f"DESCRIBE {rows}").fetchall()]
    values = {}
    for meaning, column in PRODUCT_COLUMNS.items():
        values[column] = meaning if meaning in present else "NULL::VARCHAR"
    values["product_locale"] = locale_sql("locale") if "locale" in present else quote(DEFAULT_LOCALE)
    columns = ", ".join(f'{sql} AS "{column}"' for column, sql in values.items())
    others = [column for column in present if column not in PRODUCT_COLUMNS]
    is_decimal = f"regexp_full_match(coalesce(product_id, ''), {quote(DECIMAL_ID)})"
    typed = f"SELECT {', '.join(others)}, {columns} FROM {rows} WHERE NOT {is_decimal}"
    if source.fold_variants:
        folded = [*(each for each in others if each not in ("file_number", "file", "row")), *values]
        key = ("product_id", "product_locale")
        order = "file_number, row"
        first = ", ".join(
            f'first("{each}" ORDER BY {order}) FILTER (trim("{each}") <> \'\') AS "{each}"'
            for each in folded
            if each not in key
        )
        typed = (
            f"SELECT min(file_number) AS file_number, first(file ORDER BY {order}) AS file, first(row ORDER BY {order}) AS row, "
            f"product_id, product_locale, {first} FROM ({typed}) "
            "GROUP BY product_id, product_locale, CASE WHEN product_id IS NULL THEN concat(file_number, ':', row) END"
        )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {typed}")
    problems = connection.execute(
        "SELECT file, row, 'product_id' AS \"column\", product_id AS value, 'product_id_is_decimal' AS rule "
        f"FROM {rows} WHERE {is_decimal} ORDER BY file_number, row"
    ).pl()
    return problems.cast(pl.Schema(PROBLEM_SCHEMA))


def write_products(connection: duckdb.DuckDBPyConnection, views: Sequence[str], path: Path) -> None:
    """Write the products of all sources to one parquet file with the columns of raw.products, in the order of the files."""
    columns = ", ".join(PRODUCT_COLUMNS.values())
    union = " UNION ALL ".join(
        f"SELECT {number} AS source_number, file_number, row, {columns} FROM {view}"
        for number, view in enumerate(views)
    )
    connection.execute(
        f"COPY (SELECT {columns} FROM ({union}) ORDER BY source_number, file_number, row) "
        f"TO {quote(str(plain_path(path)))} (FORMAT parquet, COMPRESSION zstd)"
    )
