"""Products of declared sources: rows of text into the columns of raw.products, with the problems of their values."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.conversion.number_text import DecimalSign, DecimalSigns, Readings, let, readings
from warehouse.conversion.values import RULES, is_refused_sql, number_text_sql, value_sql
from warehouse.declaration.columns import ATTRIBUTE, MISSHAPEN
from warehouse.declaration.locales import DEFAULT_LOCALE, declared_locale_sql
from warehouse.declaration.problems import PROBLEM_SCHEMA
from warehouse.declaration.source import Attribute, Source
from warehouse.lake.lake import quote
from warehouse.paths import plain_path
from warehouse.readers.file_hash import sha256

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


class OutputNames(NamedTuple):
    """Name the files of products, of their places, and of their attributes."""

    products: str
    places: str
    attributes: str


class ProductView(NamedTuple):
    """Describe a view of products.

    Attributes:
        problems: the values that cannot be read.
        notes: how values are read where that is a guess, a sentence each.
        decimal_signs: the decimal sign of each column of numbers for which none is declared.
    """

    problems: pl.DataFrame
    notes: list[str]
    decimal_signs: DecimalSigns


def create_products(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, rows: str, decimal_signs: DecimalSigns = ()
) -> ProductView:
    """Create a view of the products of one source, and return its description.

    The view has file_number, file, row, the columns of raw.products, and each attribute by its type (see `columns.ATTRIBUTE`);
    an unreadable attribute is null, and a problem. Where the source folds variants, rows with the same locale and product_id
    become one: the first value of each column that is not blank, in the order of the files, and of a list all elements.

    Args:
        connection: A connection.
        name: The name of the view.
        source: The declaration.
        rows: The view of the source's rows, see `rows.create_view`.
        decimal_signs: The signs that an earlier reading of the source found; others are found from the rows.
    """
    present = _columns(connection, rows)
    texts = {
        column: f'"{meaning}"' if meaning in present else "NULL::VARCHAR" for meaning, column in PRODUCT_COLUMNS.items()
    }
    texts["product_locale"] = declared_locale_sql("locale") if "locale" in present else quote(DEFAULT_LOCALE)
    texts |= {name: f'"{name}"' for name in ("op", "event_time") if name in present}  # of a delta
    is_decimal = f"regexp_full_match(coalesce(product_id, ''), {quote(DECIMAL_ID)})"
    faults = [_faults(rows, "product_id", "product_id", is_decimal, "product_id_is_decimal")]
    if MISSHAPEN in present:
        faults.append(f"SELECT file_number, file, row, unnest({MISSHAPEN}, recursive := true) FROM {rows}")
    values, notes, known = {}, list[str](), dict(decimal_signs)
    found_signs: dict[str, DecimalSign] = {}
    for attribute in source.attributes:
        column = f'"{ATTRIBUTE}{attribute.name}"'
        sign: DecimalSign = "."
        if attribute.has_decimals and attribute.decimal is None:
            place = f"{source.files[0]} {attribute.name}"
            if place not in known:
                found = readings(connection, rows, number_text_sql(attribute, column))
                known[place] = found.sign()
                notes += _undecided(source, attribute, found)
            sign = found_signs[place] = known[place]
        values[f"{ATTRIBUTE}{attribute.name}"] = value_sql(attribute, column, sign)
        if attribute.type in RULES:
            is_refused = is_refused_sql(attribute, column, sign)
            faults.append(_faults(rows, attribute.name, column, is_refused, RULES[attribute.type]))
    columns = ", ".join(f'{sql} AS "{column}"' for column, sql in (texts | values).items())
    typed = f"SELECT file_number, file, row, {columns} FROM {rows} WHERE NOT {is_decimal}"
    if source.fold_variants:
        lists = {f"{ATTRIBUTE}{attribute.name}" for attribute in source.attributes if attribute.type == "list"}
        typed = _folded(typed, [*(each for each in texts if each not in _KEY), *values], lists)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {typed}")
    problems = connection.execute(f"{' UNION ALL '.join(faults)} ORDER BY file_number, row").pl()
    problems = problems.drop("file_number").cast(pl.Schema(PROBLEM_SCHEMA))
    return ProductView(problems, notes, tuple(found_signs.items()))


def _undecided(source: Source, attribute: Attribute, found: Readings) -> Iterator[str]:
    """Yield a sentence if the values of an attribute do not tell their decimal sign, which nobody declared."""
    if found.ambiguous is not None and not found.points + found.commas:
        value, point, comma = found.ambiguous
        other = "," if found.sign() == "." else "."
        read, else_read = (point, comma) if other == "," else (comma, point)
        yield (
            f"{attribute.name} of {', '.join(source.files)}: {value!r} is read as {read:g}, and no value tells the decimal "
            f'sign; if it is {else_read:g}, declare decimal = "{other}" for the attribute'
        )


_KEY = ("product_id", "product_locale")
_PLACE = ("source_number", "file_number", "file", "row")
_HAS_NO_TITLE = r"regexp_full_match(coalesce(product_title, ''), '[\s\p{Z}]*')"  # which the contract refuses


def _faults(rows: str, name: str, column: str, condition: str, rule: str) -> str:
    """Return the query of the rows whose column meets a condition, as problems."""
    return (
        f'SELECT file_number, file, row, {quote(name)} AS "column", {column} AS value, {quote(rule)} AS rule '
        f"FROM {rows} WHERE {condition}"
    )


def _is_filled(column: str) -> str:
    return f'"{column}" IS NOT NULL AND trim("{column}"::VARCHAR) <> \'\''


def _folded(typed: str, columns: Sequence[str], lists: Collection[str]) -> str:
    """Return the query of rows folded by key; rows without an id stay as they are."""
    order = "ORDER BY file_number, row"
    values = []
    for each in columns:
        if each in lists:
            every = f'flatten(list("{each}" {order}) FILTER ("{each}" IS NOT NULL))'
            once = "list_filter(every, lambda element, place: list_position(every, element) = place)"
            values.append(f'{let("every", every, once)} AS "{each}"')
        else:
            values.append(f'first("{each}" {order}) FILTER ({_is_filled(each)}) AS "{each}"')
    return (
        f"SELECT min(file_number) AS file_number, first(file {order}) AS file, first(row {order}) AS row, {', '.join(_KEY)}, "
        f"{', '.join(values)} FROM ({typed}) GROUP BY {', '.join(_KEY)}, "
        "CASE WHEN product_id IS NULL THEN concat(file_number, ':', row) END"
    )


def write_products(
    connection: duckdb.DuckDBPyConnection,
    views: Sequence[str],
    folder: Path,
    names: OutputNames,
    details: Sequence[str] = (),
) -> None:
    """Write the products of all sources in the order of the files: the columns of raw.products, places, and attributes.

    Row n of the file of places says which file and row the nth product comes from. Attributes are written if there are any; the
    first row of a key counts that has a title. The products' file has other bytes where the attributes are others, so that both
    are ingested together. A row to delete is no product. What a product lacks is taken from the rows of details with its key.
    """
    connection.execute(f"CREATE OR REPLACE TEMP VIEW every_product AS {_numbered(views)}")
    products = "every_product"
    if details:
        _merge_details(connection, details)
        products = "detailed_product"
    order = "ORDER BY source_number, file_number, row"
    present = _columns(connection, products)
    if "op" in present:
        products = f"(FROM {products} WHERE op IS DISTINCT FROM 'delete')"
    attributes = [column for column in present if column.startswith(ATTRIBUTE)]
    version = ""
    if attributes:
        columns = ", ".join(f'"{each}" AS "{each.removeprefix(ATTRIBUTE)}"' for each in attributes)
        by_use = order.replace("ORDER BY ", f"ORDER BY {_HAS_NO_TITLE}, ")
        first = f"QUALIFY row_number() OVER (PARTITION BY product_locale, product_id {by_use}) = 1"
        _copy(
            connection,
            f"SELECT product_locale, product_id, {columns} FROM {products} WHERE product_id IS NOT NULL {first} {order}",
            folder / names.attributes,
        )
        version = sha256(folder / names.attributes)
    query = f"SELECT {', '.join(PRODUCT_COLUMNS.values())} FROM {products} {order}"
    _copy(connection, query, folder / names.products, version)
    _copy(connection, f"SELECT file, row FROM {products} {order}", folder / names.places)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, version: str = "") -> None:
    """Write the rows of a query as parquet, whose bytes follow `version` too."""
    connection.execute(
        f"COPY ({query}) TO {quote(str(plain_path(path)))} "
        f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{attributes: {quote(version)}}})"
    )


def _merge_details(connection: duckdb.DuckDBPyConnection, views: Sequence[str]) -> None:
    """Create the table `details`, a row per key with the first filled values, and the view `detailed_product`."""
    key, order = ", ".join(_KEY), "ORDER BY source_number, file_number, row"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW every_detail AS {_numbered(views)}")
    own = _columns(connection, "every_product")
    columns = [each for each in _columns(connection, "every_detail") if each not in (*_KEY, *_PLACE)]
    values = ", ".join(f'first("{each}" {order}) FILTER ({_is_filled(each)}) AS "{each}"' for each in columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE details AS SELECT {key}, {values} FROM every_detail GROUP BY {key}"
    )
    kept = [f'product."{each}"' for each in own if each not in columns]
    filled = [
        f'coalesce(product."{each}", details."{each}") AS "{each}"' if each in own else f'details."{each}"'
        for each in columns
    ]
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW detailed_product AS SELECT {', '.join(kept + filled)} FROM every_product AS product "
        f"LEFT JOIN details USING ({key})"
    )


def _numbered(views: Sequence[str]) -> str:
    """Return the query of the rows of several views, with the number of each view."""
    return " UNION ALL BY NAME ".join(
        f"SELECT {number} AS source_number, * FROM {view}" for number, view in enumerate(views)
    )


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    return [str(column) for (column, *_) in connection.execute(f"DESCRIBE {relation}").fetchall()]
