"""Facets: how often each value of a column occurs among the products of a search, each with the filter that keeps those products.

Text compares without case, as in a filter. Numbers are counted in ranges between round numbers.
"""

import difflib
import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np

from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.lake.lake import quote
from warehouse.search.product_filter import DAY, FLAG, LIST, TEXT, filter_columns, joined_tables, value_sql

_RANGES = 5  # of a number column; up to as many different numbers are counted one by one
_ROWS = """
    SELECT {columns}
    FROM {tables}
    WHERE staging.key IN (SELECT unnest($keys::VARCHAR[]))
"""


@dataclass(frozen=True)
class FacetValue:
    """Count the products of one value.

    Attributes:
        value: the value as people read it: the most frequent spelling of a text, true or false, a number or a range.
        count: number of products.
        where: the filter that keeps exactly these products.
    """

    value: str
    count: int
    where: str


@dataclass(frozen=True)
class Facet:
    """Hold the most frequent values of a column, or the ranges of its numbers in ascending order.

    Attributes:
        column: the column, as a filter names it.
        values: the values with their counts.
        more: number of further values, which are not listed.
        without: number of products without a value.
    """

    column: str
    values: tuple[FacetValue, ...]
    more: int
    without: int


def check_columns(names: Sequence[str], views: Sequence[FeatureView] = ()) -> tuple[str, ...]:
    """Return the columns of facets in lower case, each once; `views` are the static feature views of the lake.

    Raises:
        WarehouseError: A name is no column of a product.
    """
    columns = filter_columns(views)
    refuse_unknown(names, columns, columns)
    return tuple(dict.fromkeys(name.lower() for name in names))


def refuse_unknown(names: Sequence[str], known: Collection[str], choices: Collection[str]) -> None:
    """Refuse a name that is none of the known columns of products, in lower case; the hint names near ones of the choices.

    Raises:
        WarehouseError: The first such name.
    """
    for name in names:
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), choices, 3)
            hint = f"did you mean {', '.join(near)}? " if near else ""
            raise WarehouseError(f"products have no column {name!r}", f"{hint}choose from: {', '.join(choices)}")


def count_facets(
    connection: duckdb.DuckDBPyConnection,
    keys: Collection[str],
    names: Sequence[str],
    most: int = 10,
    views: Sequence[FeatureView] = (),
) -> tuple[Facet, ...]:
    """Count the values of columns among the products of a lake with these keys.

    Args:
        connection: A lake at the snapshot of a release.
        keys: Keys of products, each once.
        names: Columns that a filter may name.
        most: Number of values to list for a text column, at least 1.
        views: The static feature views of the lake.

    Raises:
        WarehouseError: A name is no column of a product, or `most` is less than 1.
    """
    if most < 1:
        raise WarehouseError(f"facets of {most} values tell nothing", "ask for 1 value or more")
    columns = filter_columns(views)
    names = check_columns(names, views)
    if not names:
        return ()
    selected = ", ".join(value_sql(name, columns) for name in names)
    query = _ROWS.format(columns=selected, tables=joined_tables(views))
    rows = connection.execute(query, {"keys": sorted(keys)}).fetchall()
    facets = []
    for position, name in enumerate(names):
        values = [row[position] for row in rows if row[position] is not None]
        count = _COUNTS.get(columns[name][1], _numbers)
        counted = count(_named(name), values)
        listed = counted[:most] if count in (_texts, _elements) else counted
        facets.append(Facet(name, tuple(listed), len(counted) - len(listed), len(rows) - len(values)))
    return tuple(facets)


def _texts(column: str, values: list[str]) -> list[FacetValue]:
    """Count texts without regard to case, the most frequent first."""
    spellings: dict[str, Counter[str]] = {}
    for value in values:
        spellings.setdefault(value.lower(), Counter())[value] += 1
    counted = [
        FacetValue(max(sorted(each), key=each.__getitem__), each.total(), f"{column} = {quote(lower)}")
        for lower, each in spellings.items()
    ]
    return sorted(counted, key=lambda each: (-each.count, each.value))


def _elements(column: str, values: list[list[str]]) -> list[FacetValue]:
    """Count the products whose list has an element, the most frequent first."""
    elements = [element for value in values for element in {each.lower(): each for each in value}.values()]
    return [replace(each, where=f"{quote(each.value.lower())} IN {column}") for each in _texts(column, elements)]


def _flags(column: str, values: list[bool]) -> list[FacetValue]:
    counts = Counter("true" if value else "false" for value in values)
    return [FacetValue(value, count, f"{column} = {value}") for value, count in sorted(counts.items())]


def _numbers(column: str, values: list[float]) -> list[FacetValue]:
    """Count numbers one by one if there are few different ones, else in ranges: a range holds its lower end, not its upper."""
    distinct = sorted(set(values))
    if len(distinct) <= _RANGES:
        counts = Counter(values)
        return [FacetValue(_plain(each), counts[each], f"{column} = {_plain(each)}") for each in distinct]
    edges = _round_edges(values)
    counted = []
    for low, high in pairwise([None, *edges, None]):
        count = sum((low is None or value >= float(low)) and (high is None or value < float(high)) for value in values)
        bounds = [f"{column} >= {low}"] * (low is not None) + [f"{column} < {high}"] * (high is not None)
        name = f"under {high}" if low is None else f"{low} and more" if high is None else f"{low} to under {high}"
        counted.append(FacetValue(name, count, " AND ".join(bounds)))
    return [each for each in counted if each.count]


def _round_edges(values: list[float]) -> list[str]:
    """Return round numbers, ascending, between which about equally many values lie."""
    quantiles = np.quantile(np.array(values, float), np.arange(1, _RANGES) / _RANGES, method="lower")
    spread = float(quantiles[-1] - quantiles[0])
    if not spread:  # most of the numbers are the same one
        return [_plain(quantiles[0])]
    digits = -math.floor(math.log10(spread / _RANGES))
    step = max((each for each in (2, 5) if each * 10**-digits <= spread / _RANGES), default=1)
    return list(dict.fromkeys(_plain(round(step * round(each / step, digits), digits)) for each in quantiles.tolist()))


def _plain(number: float) -> str:
    """Return a number as a filter reads it, without an exponent or a needless fraction."""
    return str(int(number)) if float(number).is_integer() else np.format_float_positional(number, trim="-")


def _named(column: str) -> str:
    return column if column.isidentifier() else _quoted(column)


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


_COUNTS: dict[str, Callable[[str, list[Any]], list[FacetValue]]] = {
    TEXT: _texts,
    DAY: _texts,
    LIST: _elements,
    FLAG: _flags,
}
