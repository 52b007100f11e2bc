"""Point-in-time lookup of time-series features: the newest event at or before a time, and not older than its TTL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import STATIC, TIME_SERIES, ColumnType, Entity, FeatureView
from warehouse.errors import WarehouseError
from warehouse.features.asof_join import newest_events
from warehouse.lake import tables
from warehouse.lake.dependencies import derivations
from warehouse.lake.incremental import following, made_by
from warehouse.lake.lake import scalar
from warehouse.lake.reconcile import Plan
from warehouse.lake.watermarks import RunWatermarks
from warehouse.settings import WarehouseSettings

REGISTRY = CONTRACTS["registry.feature_views"]
TRAINING = CONTRACTS["training.point_in_time"]

_TIME = pl.Datetime("us", "UTC")
_FEW_POINTS = 10_000
_POLARS: dict[ColumnType, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "flag": pl.Boolean(),
    "time": _TIME,
    "list": pl.List(pl.String()),
}
_PAIR_COLUMNS: dict[Entity, str] = {"product": "product_key", "query": "query_key", "context": "context_key"}


class Declared(NamedTuple):
    """Hold a feature view as declared in the lake, and the default as-of time of its lookups."""

    table: FeatureView
    as_of: datetime


def register(
    connection: duckdb.DuckDBPyConnection, declared: Sequence[FeatureView], settings: WarehouseSettings
) -> Plan:
    """Write the declarations to the lake, and drop the tables that are no longer declared.

    The lake's as-of time is the setting `as_of`, else the time of the newest judgement.
    """
    time = as_of(connection, settings)
    rows = [
        {
            "key": table.name,
            "entity": table.entity,
            "ttl_days": table.ttl_days,
            "as_of": time,
            "declaration": table.model_dump_json(),
        }
        for table in declared
    ]
    schema = dict.fromkeys(REGISTRY.columns, pl.String()) | {"ttl_days": pl.Float64(), "as_of": _TIME}
    present = connection.execute(
        "SELECT DISTINCT schema_name || '.' || table_name FROM duckdb_columns() WHERE database_name = 'lake' "
        f"AND (schema_name IN ('{TIME_SERIES}', '{STATIC}', 'dated') OR table_name = 'dated')"
    ).fetchall()
    for (name,) in present:
        if name not in {table.table for table in declared}:  # `dated`: the name in homes of format 2
            connection.execute(f"DROP TABLE {name}")
            connection.execute("DELETE FROM raw.files WHERE key = ?", [name])
    return tables.refresh_from(connection, REGISTRY, pl.DataFrame(rows, schema=schema))


def as_of(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings) -> datetime:
    """Return the as-of time of product vectors and searches: the setting, else the time of the newest judgement."""
    row = connection.execute("SELECT max(judged_at) FROM staging.judgements").fetchone()
    return _utc(settings.as_of or (row[0] if row and row[0] else settings.judged_at))


def fingerprints(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the fingerprints of the declarations and tables of the time-series features, which identify their state."""
    contracts = [REGISTRY, *(table.contract for table, _ in declarations(connection))]
    return [tables.fingerprint(connection, each) for each in contracts if tables.exists(connection, each.table)]


def declarations(connection: duckdb.DuckDBPyConnection, catalog: str = "lake") -> list[Declared]:
    """Return the declarations in the state of the lake that the connection has attached as `catalog`."""
    if REGISTRY.table not in tables.ever_filled(connection, catalog) or not tables.exists(
        connection, REGISTRY.table, catalog
    ):
        return []
    rows = connection.execute(f"SELECT declaration, as_of FROM {catalog}.{REGISTRY.table} ORDER BY key").fetchall()
    return [Declared(FeatureView.model_validate_json(text), as_of.astimezone(UTC)) for text, as_of in rows]


def static_views(connection: duckdb.DuckDBPyConnection) -> tuple[FeatureView, ...]:
    """Return the static feature views of products that are declared in the state of the lake."""
    return tuple(table for table, _ in declarations(connection) if table.is_static)


def contracts(connection: duckdb.DuckDBPyConnection, catalog: str = "lake") -> dict[str, Contract]:
    """Return the contracts of all tables in the state of the lake, including the time-series tables declared in it."""
    return CONTRACTS | {table.table: table.contract for table, _ in declarations(connection, catalog)}


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
    return add_features(connection, frame, keys, None if at is None else pl.lit(_utc(at))).drop(*keys.values())


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
        return _values(points, table, values, on="entity_key")
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


def refresh_training(
    connection: duckdb.DuckDBPyConnection,
    settings: WarehouseSettings,
    run_watermarks: RunWatermarks | None = None,
    *,
    whole: bool = False,
) -> Plan:
    """Refresh training.point_in_time: the latest event of each judged pair at its judgement time."""
    declared = _time_series(connection)
    derivation = derivations(table.table for table in declared)[TRAINING.table]
    tables.ensure(connection, TRAINING)
    with following(connection, derivation, made_by(derivation, settings), run_watermarks, whole=whole) as pending_rows:
        if pending_rows.is_nothing or (not declared and TRAINING.table not in tables.ever_filled(connection)):
            return Plan.empty()
        return match_pairs(connection, pending_rows.keys)


def match_pairs(connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame | None = None) -> Plan:
    """Write the latest event of each judged pair, for the pairs with some keys (a frame, key) or for all pairs."""
    where, among = "true", ""
    if keys is not None:
        connection.register("dirty_keys", keys)
        where, among = "pair_key IN (FROM dirty_keys)", " WHERE key IN (FROM dirty_keys)"
    queries = [
        f"SELECT concat(row, ':', '{table.name}') AS key, row AS pair_key, '{table.table}' AS \"table\", "
        f"key AS event_key, as_of AS judged_at, event_time, {INPUT_HASH} AS event_hash "
        f"FROM ({as_of_join(table, _pairs(table.entity, among))})"
        for table in _time_series(connection)
    ]
    nothing = ", ".join(f'NULL::{TRAINING.sql_type(name)} AS "{name}"' for name in TRAINING.columns)
    source = " UNION ALL ".join(queries) or f"SELECT {nothing} WHERE false"
    return tables.refresh_by(connection, TRAINING, source, where=where)


def add_training_features(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame) -> pl.DataFrame:
    """Add the features of the events in training.point_in_time to pairs (key, …), one column `table.column` each.

    Static features are not added: products have them, see `add_features`.
    """
    for table in _time_series(connection):
        events = connection.execute(
            f"SELECT pair_key AS row, events.* FROM {TRAINING.table} JOIN {table.table} AS events "
            'ON event_key = events.key WHERE "table" = ?',
            [table.table],
        ).pl()
        pairs = pairs.hstack(_values(pairs.select(row="key"), table, events, on="row"))
    return pairs


def pairs_with_values(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of pairs with an event, by time-series table."""
    names = [table.table for table in _time_series(connection)]
    counted = f'SELECT "table", count(*) FROM {TRAINING.table} GROUP BY ALL'
    pair_counts = dict(connection.execute(counted).fetchall()) if names else {}
    return {name: pair_counts.get(name, 0) for name in names}


def broken_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the rows of training.point_in_time whose event is after the judgement or too old for it."""
    return scalar(
        connection,
        f"SELECT count(*) FROM {TRAINING.table} "
        f"JOIN {REGISTRY.table} AS declared ON \"table\" = concat('timeseries.', declared.key) "
        "WHERE event_time > judged_at OR epoch_us(judged_at) - epoch_us(event_time) > round(ttl_days * 86400000000)",
    )


def static_fingerprints(
    connection: duckdb.DuckDBPyConnection, read_by: Literal["tower", "rank"], where: str = "true"
) -> list[str]:
    """Return the fingerprints of the static features that the towers or the ranker read, of the products that meet `where`."""
    prints = []
    for table in static_views(connection):
        columns = ", ".join(f'"{column.name}"::VARCHAR' for column in table.columns if getattr(column, read_by))
        if columns:
            row_hash = f"md5(to_json([{columns}])::VARCHAR)"
            prints.append(tables.fingerprint(connection, table.contract, where, row_hash))
    return prints


def _time_series(connection: duckdb.DuckDBPyConnection) -> list[FeatureView]:
    """Return the declared feature views whose values change with time."""
    return [table for table, _ in declarations(connection) if not table.is_static]


def _values(points: pl.DataFrame, table: FeatureView, events: pl.DataFrame, on: str) -> pl.DataFrame:
    return (
        points.select(on).join(events.select(on, **_features(table)), on=on, how="left", maintain_order="left").drop(on)
    )


def _features(table: FeatureView) -> dict[str, pl.Expr]:
    return {table.feature(column.name): pl.col(column.name).cast(_POLARS[column.holds]) for column in table.columns}


def _pairs(entity: Entity, where: str = "") -> str:
    return f"(SELECT key AS row, {_PAIR_COLUMNS[entity]} AS entity_key, judged_at AS as_of FROM training.pairs{where})"


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
