"""Attribute types: the name and the type of an attribute, found from a column's name and its first values."""

import re

import duckdb
import polars as pl

from warehouse.conversion.values import value_sql
from warehouse.declaration.source import OWN_COLUMNS, Attribute, AttributeType
from warehouse.wording import counted

_PRICE = re.compile(r"price|cost|amount|preis|prix|precio|prezzo|preco|msrp|価格", re.IGNORECASE)
_ID = re.compile(r"(^|[^a-z])(id|sku|gtin|ean|upc|asin|mpn|barcode|handle)s?([^a-z]|$)", re.IGNORECASE)
_URL = r"^(https?:)?//\S+$"
_PATH = r". [>›»] ."
_CATEGORY_SHARE, _LIST_SHARE, _CATEGORY_CHARS = 0.5, 0.5, 60
_READABLE_SHARE = 0.9


def attribute_name(name: str, taken: set[str]) -> str:
    """Return the name of an attribute: the column's in small letters, digits and underscores."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:36] or "column"
    plain = plain if plain[0].isalpha() else f"c_{plain}"
    plain = f"{plain}_" if plain in OWN_COLUMNS else plain
    number = 2
    while plain in taken:
        plain, number = f"{plain.rstrip('0123456789_')}_{number}", number + 1
    return plain


def attribute_type(
    connection: duckdb.DuckDBPyConnection, name: str, column: pl.Series
) -> tuple[AttributeType | None, str]:
    """Return the type of a further column, or None for one that tells nothing, and the reason."""
    values = column.drop_nulls()
    values = values.filter(values.str.strip_chars() != "")
    if values.is_empty():
        return None, "it is empty"
    filled = f"filled in {len(values):,} of {counted(len(column), 'row')}"
    if _ID.search(name) and values.n_unique() == len(values):
        return None, "another id of the row"
    if values.str.starts_with("[").mean() == 1:
        return "list", f"{filled}, with lists"
    tests: tuple[AttributeType, ...] = (
        ("money", "number") if _PRICE.search(name) else ("boolean", "number", "money", "date")
    )
    connection.register("head_values", values.alias("value").to_frame())
    has_zeros = bool(values.str.contains(r"^0\d").any())  # 00123 is a name, not a number
    for kind in tests:
        if has_zeros and kind in ("number", "money"):
            continue
        read = value_sql(Attribute(name="value", type=kind), "value")
        rows = connection.execute(f"SELECT avg(({read} IS NOT NULL)::INTEGER) FROM head_values").fetchone()
        if rows and rows[0] >= _READABLE_SHARE:
            return kind, f"{filled}, {rows[0]:.0%} are read as {kind}"
    frame = values.alias("value").to_frame().with_columns(length=pl.col("value").str.len_chars())
    if _share(frame, pl.col("value").str.contains(_URL)) >= _READABLE_SHARE:
        return "url", f"{filled}, with addresses"
    if _share(frame, pl.col("value").str.contains(_PATH)) >= _READABLE_SHARE:
        return "category_path", f"{filled}, with paths"
    if _share(frame, pl.col("value").str.contains(",") & (pl.col("length") < 2 * _CATEGORY_CHARS)) > _LIST_SHARE:
        return "list", f"{filled}, with commas"
    is_short = _share(frame, pl.col("length") <= _CATEGORY_CHARS) == 1
    if is_short and values.n_unique() <= _CATEGORY_SHARE * len(values):
        return "category", f"{filled}, with {counted(values.n_unique(), 'different value')}"
    return "text", filled


def _share(frame: pl.DataFrame, condition: pl.Expr) -> float:
    """Return the share of the rows that meet a condition, 0 to 1."""
    return frame.filter(condition).height / frame.height
