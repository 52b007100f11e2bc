"""JSON rows: the rows of a frame as values that JSON can hold."""

import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl

from warehouse.errors import WarehouseError


def json_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as values that JSON can hold.

    Times become ISO 8601, decimals numbers, bytes hex; NaN and the infinities, which JSON has not, become null.

    Raises:
        WarehouseError: A date lies outside the years 1 to 9999.
    """
    first, last = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001 - only a year is compared
    for column in frame.select(pl.selectors.date() | pl.selectors.datetime(("ms", "us"))):  # nanoseconds end in 2262
        bounds = pl.Series([first, last]).cast(column.dtype).to_physical()
        if not column.drop_nulls().to_physical().is_between(bounds[0], bounds[1]).all():
            raise WarehouseError(
                f"the column {column.name} has a date outside the years 1 to 9999",
                f'select the column as text: "{column.name}"::VARCHAR',
            )
    return [{name: _json(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]


def _json(value: object) -> object:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(key): _json(child) for key, child in value.items()}
        case list() | tuple():
            return [_json(child) for child in value]
        case _:
            return value
