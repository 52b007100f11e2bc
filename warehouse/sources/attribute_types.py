"""Attribute types: the name and the type of an attribute, found from a column's name and its first values."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

import duckdb
import polars as pl

from warehouse.conversion.number_text import decimal_sign
from warehouse.conversion.units import known_unit
from warehouse.conversion.values import NOTHING, number_text_sql, value_sql
from warehouse.declaration.source import OWN_COLUMNS, Attribute
from warehouse.lake.lake import scalar
from warehouse.wording import counted

Read = Mapping[str, str]
"""The fields of an attribute that say how its values are read: its type, and its unit if it has one."""
_PRICE = re.compile(r"price|cost|amount|preis|prix|precio|prezzo|preco|preço|prijs|msrp|価格", re.IGNORECASE)
_ID = re.compile(
    r"(?<![a-z])(id|ids|uid|uuid|guid|sku|gtin\d*|ean\d*|upc|isbn\d*|jan|asin|mpn|barcode|bar code|handle|slug)(?![a-z])"
)
_NUMBER = re.compile(
    r"(?<![a-z])(no|nr|num|number|code|key|ref|reference|identifier|item|article)(?![a-z])|nummer|番号|编号|номер|c[oó]digo"
)
_CATEGORY = re.compile(r"categor|kategori|taxonom")
_DATE = re.compile(r"(?<![a-z])(date|datetime|time|timestamp|created|updated|modified|datum|fecha|at)(?![a-z])")
_FLAG = re.compile(
    r"^(is|has|in|can|are|allow|allows|manage|use|requires?)(?![a-z])|(ed|able|ible|active|online|flag|status|new)(?![a-z])|\?$"
)
_CURRENCY = (
    r"\p{Sc}|\b(USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|BRL|MXN)\b|kr\b|zł|Kč|円|元|원"
)
_LIST = re.compile(r"tag|keyword|label|image|picture|photo|material|sizes|colou?rs|features")
_SLASHED = r"^(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})(?:,? |$)"
_UNIT = r"^[-+−–]?[\d.,'\s]*\d\s*([^\d\s].*)$"
_URL = r"^(https?:)?//\S+$|^\S+\.(?i:jpe?g|png|webp|gif|avif|svg)(\?\S*)?$"
_NEXT_URL = r",\s*(https?:)?//"
_PATH = r". [>›»/] ."
_MARKUP = r"</?(?i:p|br|div|ul|li|b|span|strong|h\d)\b[^>]*>"
_CATEGORY_SHARE, _LIST_SHARE, _CATEGORY_CHARS, _ELEMENT_CHARS = 0.5, 0.5, 60, 30
_READABLE_SHARE = 0.9
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "ø": "oe", "å": "aa"})


def is_id_name(name: str) -> bool:
    """Tell whether the name of a column says that it identifies what a row is."""
    return _ID.search(_words(name)) is not None or _NUMBER.search(_words(name)) is not None


def attribute_name(name: str, taken: set[str]) -> str:
    """Return the name of an attribute: the column's in small letters, digits and underscores, umlauts as ae, oe and ue."""
    spelled = unicodedata.normalize("NFKD", name.casefold().translate(_UMLAUTS))
    letters = "".join(each for each in spelled if not unicodedata.combining(each))
    plain = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:36] or "column"
    plain = plain if plain[0].isalpha() else f"c_{plain}"
    plain = f"{plain}_" if plain in OWN_COLUMNS else plain
    number = 2
    while plain in taken:
        plain, number = f"{plain.rstrip('0123456789_')}_{number}", number + 1
    return plain


def attribute_type(connection: duckdb.DuckDBPyConnection, name: str, column: pl.Series) -> tuple[Read | None, str]:
    """Return how a further column is read, or None for one that tells nothing, and the reason."""
    values = column.drop_nulls().str.strip_chars()
    values = values.filter(values != "")
    if values.is_empty():
        return None, "it is empty"
    filled = f"filled in {len(values):,} of {counted(len(column), 'row')}"
    words = _words(name)
    is_id = _ID.search(words) is not None
    if is_id and values.n_unique() == len(values):
        return None, "another id of the row"
    is_list = values.str.starts_with("[").all()
    if is_list and not _PRICE.search(words):
        if values.str.contains(r"^\[\s*\{").any():
            return None, "a list of objects"
        return {"type": "list"}, f"{filled}, with lists"
    told = values.filter(~values.str.to_lowercase().is_in(NOTHING))
    connection.register("head_values", (told if len(told) else values).alias("value").to_frame())
    has_zeros = bool(values.str.contains(r"^0\d").any())  # 00123 is a name, not a number
    if not (is_id or _CATEGORY.search(words)):  # the number of a category or of a brand is a name, too
        for read in _numeric(words, values):
            if has_zeros and read["type"] in ("number", "money"):
                continue
            share = _readable(connection, read)
            if share >= _READABLE_SHARE:
                unit = f" in {read['unit']}" if "unit" in read else ""
                return _with_decimal(connection, read, share), f"{filled}, {share:.0%} are read as {read['type']}{unit}"
    frame = values.alias("value").to_frame().with_columns(length=pl.col("value").str.len_chars())
    value = pl.col("value")
    is_url = value.str.contains(_URL) & ~value.str.contains(_NEXT_URL)
    if _share(frame, is_url) >= _READABLE_SHARE:
        return {"type": "url"}, f"{filled}, with addresses"
    if _share(frame, value.str.contains(_PATH)) >= _READABLE_SHARE:
        return {"type": "category_path"}, f"{filled}, with paths"
    if _share(frame, value.str.contains(_MARKUP)) >= _LIST_SHARE:
        return {"type": "text"}, f"{filled}, with markup"
    if not _DATE.search(words):
        longest = value.str.split(",").list.eval(pl.element().str.len_chars()).list.max()
        has_elements = value.str.contains(",") & value.str.contains(r"\p{L}") & (longest <= _ELEMENT_CHARS)
        has_elements |= value.str.contains("|", literal=True) | value.str.contains(_NEXT_URL)
        share = _share(frame, has_elements & (pl.col("length") < 2 * _CATEGORY_CHARS))
        if share > (0 if _LIST.search(words) else _LIST_SHARE):
            return {"type": "list"}, f"{filled}, with commas or bars"
    if _share(frame, pl.col("length") <= _CATEGORY_CHARS) == 1 and values.n_unique() <= _CATEGORY_SHARE * len(values):
        return {"type": "category"}, f"{filled}, with {counted(values.n_unique(), 'different value')}"
    return {"type": "text"}, filled


def _words(name: str) -> str:
    """Return the words of a name in small letters, each between spaces: createdAt and created_at are created at."""
    return re.sub(r"[\s_.:/()-]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).casefold().strip()


def _numeric(words: str, values: pl.Series) -> Iterator[Read]:
    """Yield the numeric types that a column may have, the likeliest first."""
    if _PRICE.search(words):
        yield {"type": "money"}
    if values.str.contains(_SLASHED).sum() >= _READABLE_SHARE * len(values):
        yield from _order(values)
    if _DATE.search(words):
        yield {"type": "date"}
    if _FLAG.search(words) or not values.is_in(["0", "1"]).all():  # a count may be 0 or 1 at first, and then 5
        yield {"type": "boolean"}
    yield {"type": "number"}
    units = values.str.extract(_UNIT).drop_nulls().map_elements(known_unit, return_dtype=pl.String).drop_nulls()
    if len(units):
        yield {"type": "number", "unit": units.mode().sort()[0]}
    if values.str.contains(_CURRENCY).sum() >= _READABLE_SHARE * len(values):
        yield {"type": "money"}
    yield {"type": "date"}


def _order(values: pl.Series) -> Iterator[Read]:
    """Yield how dates such as 3/14/24 are read, where the values tell the order of day and month."""
    parts = values.str.extract_groups(_SLASHED).struct.unnest().cast(pl.Int64)
    first, second = parts.select(pl.all().max()).row(0)
    if (first > 12) != (second > 12):
        yield {"type": "date", "date_order": "dmy" if first > 12 else "mdy"}


def _with_decimal(connection: duckdb.DuckDBPyConnection, read: Read, share: float) -> Read:
    """Return how `head_values` are read, with the decimal comma declared where they have one: few values may not tell it."""
    text = number_text_sql(Attribute.model_validate({"name": "a", "column": "value", **read}), "value")
    declared = {**read, "decimal": ","}
    has_comma = decimal_sign(connection, "head_values", text) == "," and _readable(connection, declared) >= share
    return declared if has_comma else read


def _readable(connection: duckdb.DuckDBPyConnection, read: Read) -> float:
    """Return the share of the values of the table `head_values` that a type reads, 0 to 1."""
    value = value_sql(Attribute.model_validate({"name": "value", **read}), "value")
    return scalar(connection, f"SELECT count({value}) FROM head_values") / scalar(
        connection, "SELECT count(*) FROM head_values"
    )


def _share(frame: pl.DataFrame, condition: pl.Expr) -> float:
    """Return the share of the rows that meet a condition, 0 to 1."""
    return frame.filter(condition).height / frame.height
