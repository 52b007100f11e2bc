"""Point-in-time lookup of time-series features: the newest event at or before a time, and not older than its TTL."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb
import polars as pl

from warehouse.contracts.time_series import ColumnType, Entity, FeatureView
from warehouse.errors import WarehouseError
from warehouse.features.asof_join import newest_events
from warehouse.features.feature_views import declarations, utc

_TIME = pl.Datetime("us", "UTC")
_FEW_POINTS = 10_000
_POLARS: dict[ColumnType, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "flag": pl.Boolean(),
    "time": _TIME,
    "list": pl.List(pl.String()),
}


def add_features(
    connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame, keys: Mapping[Entity, str], at: pl.Expr | None = None
) -> pl.DataFrame:
    """Add the latest value of each feature at a time, one column `table.column` each; null if there is none.

    Args:
        connection: To the lake.
        frame: The rows to extend.
        keys: The key column in `frame` of each entity to look up.
        at: The time of each row; default: the lake's as-of time.
    """
    for declared in declarations(connection):
        table = declared.table
        if table.entity in keys:
            time = pl.lit(declared.as_of) if at is None else at
            points = frame.select(entity_key=pl.col(keys[table.entity]).cast(pl.String), as_of=time.cast(_TIME))
            frame = frame.hstack(look_up(connection, table, points))
    return frame


def add_search_features(
    connection: duckdb.DuckDBPyConnection,
    features: pl.DataFrame,
    query_keys: Sequence[str | None],
    context: str | None = None,
    at: datetime | None = None,
) -> pl.DataFrame:
    """Add the time-series features of queries and their context to the features of searches.

    Args:
        connection: To the lake.
        features: One row per query.
        query_keys: The keys of the queries in staging.queries; None for an unknown one.
        context: The key of the context of all queries.
        at: The time of the searches; default: the lake's as-of time.
    """
    keys: dict[Entity, str] = {"query": "search.query", "context": "search.context"}
    frame = features.with_columns(
        pl.Series(keys["query"], query_keys, dtype=pl.String), pl.lit(context, dtype=pl.String).alias(keys["context"])
    )
    return add_features(connection, frame, keys, None if at is None else pl.lit(utc(at))).drop(*keys.values())


def known_query(connection: duckdb.DuckDBPyConnection, query: str, locale: str | None) -> str | None:
    """Return the smallest key of the queries with this locale and cleaned text, ignoring case; None if there is none."""
    row = connection.execute(
        "SELECT min(key) FROM staging.queries WHERE locale = ? AND lower(query) = lower(?)", [locale, query]
    ).fetchone()
    return row[0] if row else None


def check_context(connection: duckdb.DuckDBPyConnection, context: str) -> None:
    """Refuse a context key that occurs in no time-series table: such a context would silently have no features.

    Raises:
        WarehouseError: No time-series table has the key.
    """
    named = [table.table for table, _ in declarations(connection) if table.entity == "context"]
    event_counts = [
        connection.execute(f"SELECT count(*) FROM {name} WHERE entity_key = ?", [context]).fetchone() for name in named
    ]
    if not any(row and row[0] for row in event_counts):
        hint = "declare a feature view of the context, then build"
        if named:
            hint = f'list the contexts with: stockroom sql "SELECT DISTINCT entity_key FROM {named[0]}"'
        raise WarehouseError(f"no time-series table has the context {context!r}", hint)


def look_up(connection: duckdb.DuckDBPyConnection, table: FeatureView, points: pl.DataFrame) -> pl.DataFrame:
    """Return the latest feature values of one table at each point (entity_key, as_of), in the order of the points.

    The values of a static table are the same at any time.
    """
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    connection.register("points", points)
    # A search looks up a few entities, training most of them.
    restriction = "WHERE entity_key IN (SELECT entity_key FROM points)" if points.height < _FEW_POINTS else ""
    if table.is_static:
        values = connection.sql(f"FROM (SELECT key AS entity_key, {columns} FROM {table.table}) {restriction}").pl()
        connection.unregister("points")
        return values_of(points, table, values, on="entity_key")
    events = connection.sql(f"SELECT entity_key, event_time, {columns} FROM {table.table} {restriction}").pl()
    connection.unregister("points")
    rows = newest_events(events, points, table.ttl_us)
    return events.select(**_features(table)).select(pl.all().gather(rows))


def as_of_join(table: FeatureView, points: str) -> str:
    """Return the SQL that finds the latest event for each row of `points` (row, entity_key, as_of), if there is one.

    The latest event is the newest one at or before `as_of`, unless it is older than the maximum age. A null in an event means
    that the feature has no value from then on; no earlier event replaces the null.
    """
    return (
        f"SELECT points.row, points.as_of, events.* FROM {points} AS points ASOF JOIN {table.table} AS events "
        "ON points.entity_key = events.entity_key AND points.as_of >= events.event_time "
        f"WHERE epoch_us(points.as_of) - epoch_us(events.event_time) <= {table.ttl_us}"
    )


def values_of(points: pl.DataFrame, table: FeatureView, events: pl.DataFrame, on: str) -> pl.DataFrame:
    """Return the features of the events that match the points, one row a point in their order; null where none does."""
    return (
        points.select(on).join(events.select(on, **_features(table)), on=on, how="left", maintain_order="left").drop(on)
    )


def _features(table: FeatureView) -> dict[str, pl.Expr]:
    return {table.feature(column.name): pl.col(column.name).cast(_POLARS[column.holds]) for column in table.columns}
