"""Ranked attributes: the static features of products that the ranker reads, as numbers.

An evaluation reads them from the lake, a search from the online table of its release.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from warehouse.contracts.time_series import FeatureView
from warehouse.features import feature_views, point_in_time

_US_PER_DAY = 86_400_000_000
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S%.f%#z"  # as DuckDB writes a time in JSON


def ranked_names(views: Sequence[FeatureView]) -> tuple[str, ...]:
    """Return the names of the features that the ranker reads, such as products.price."""
    return tuple(view.feature(column.name) for view in views for column in view.columns if column.rank)


def from_lake(connection: duckdb.DuckDBPyConnection, keys: pl.Series, names: Sequence[str]) -> pl.DataFrame:
    """Return features of products from the lake, one row a key, in their order; all null if the lake has no such feature."""
    frame = pl.DataFrame({"key": keys}, schema={"key": pl.String})
    if names:
        points = frame.select(entity_key="key")
        for view in feature_views.static_views(connection):
            frame = frame.hstack(point_in_time.look_up(connection, view, points))
    return _numbers(frame, names)


def from_rows(rows: Sequence[Mapping[str, Any] | None], names: Sequence[str]) -> pl.DataFrame:
    """Return features of products from their rows in the online table, in the order of the rows."""
    columns = {name: [None if row is None else row.get(name) for row in rows] for name in names}
    frame = pl.DataFrame(columns)
    return _numbers(frame.with_columns(pl.col(pl.String).str.to_datetime(_TIME_FORMAT, time_zone="UTC")), names)


def _numbers(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return columns as numbers: a time in days since 1970, false and true as 0 and 1."""

    def number(name: str) -> pl.Expr:
        if name not in frame.columns:
            return pl.lit(None, pl.Float64).alias(name)
        is_time = isinstance(frame.schema[name], pl.Datetime)
        return (pl.col(name).dt.epoch("us") / _US_PER_DAY if is_time else pl.col(name).cast(pl.Float64)).alias(name)

    return frame.select(map(number, names))
