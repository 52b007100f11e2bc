"""Feature views: their declarations in the lake, and the as-of time of their lookups."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import STATIC, TIME_SERIES, FeatureView
from warehouse.lake import catalog, tables
from warehouse.lake.reconcile import Plan
from warehouse.settings import WarehouseSettings

REGISTRY = CONTRACTS["registry.feature_views"]


class Declared(NamedTuple):
    """Hold a feature view as declared in the lake, and the default as-of time of its lookups."""

    table: FeatureView
    as_of: datetime


def register(
    connection: duckdb.DuckDBPyConnection, declared: Sequence[FeatureView], settings: WarehouseSettings
) -> Plan:
    """Write the declarations to the lake, and drop the tables that are no longer declared.

    The lake's as-of time is as `as_of` returns it.
    """
    time = as_of(connection, settings, declared)
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
    schema = dict.fromkeys(REGISTRY.columns, pl.String()) | {
        "ttl_days": pl.Float64(),
        "as_of": pl.Datetime("us", "UTC"),
    }
    present = connection.execute(
        "SELECT DISTINCT schema_name || '.' || table_name FROM duckdb_columns() WHERE database_name = 'lake' "
        f"AND (schema_name IN ('{TIME_SERIES}', '{STATIC}', 'dated') OR table_name = 'dated')"
    ).fetchall()
    for (name,) in present:
        if name not in {table.table for table in declared}:  # `dated`: the name in homes of format 2
            connection.execute(f"DROP TABLE {name}")
            connection.execute("DELETE FROM raw.files WHERE key = ?", [name])
    return tables.refresh_from(connection, REGISTRY, pl.DataFrame(rows, schema=schema))


def as_of(
    connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, declared: Iterable[FeatureView] | None = None
) -> datetime:
    """Return the as-of time of product vectors and searches: the setting, else that of the newest judgement or event.

    Args:
        connection: To the lake.
        settings: With `as_of`, and `judged_at` for a lake without judgements and events.
        declared: The feature views; None: those declared in the lake.
    """
    if settings.as_of:
        return utc(settings.as_of)
    views = time_series_views(connection) if declared is None else [view for view in declared if not view.is_static]
    newest = [f"SELECT max(event_time) FROM {view.table}" for view in views if tables.exists(connection, view.table)]
    times = connection.execute(
        " UNION ALL ".join(["SELECT max(judged_at) FROM staging.judgements", *newest])
    ).fetchall()
    return max((utc(time) for (time,) in times if time), default=utc(settings.judged_at))


def fingerprints(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the fingerprints of the declarations and tables of the time-series features, which identify their state."""
    contracts = [REGISTRY, *(table.contract for table, _ in declarations(connection))]
    return [tables.fingerprint(connection, each) for each in contracts if tables.exists(connection, each.table)]


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


def declarations(connection: duckdb.DuckDBPyConnection, lake: str = "lake") -> list[Declared]:
    """Return the declarations in the state of the lake that the connection has attached as `lake`."""
    if REGISTRY.table not in catalog.ever_filled(connection, lake) or not tables.exists(
        connection, REGISTRY.table, lake
    ):
        return []
    rows = connection.execute(f"SELECT declaration, as_of FROM {lake}.{REGISTRY.table} ORDER BY key").fetchall()
    return [Declared(FeatureView.model_validate_json(text), as_of.astimezone(UTC)) for text, as_of in rows]


def static_views(connection: duckdb.DuckDBPyConnection) -> tuple[FeatureView, ...]:
    """Return the static feature views of products that are declared in the state of the lake."""
    return tuple(table for table, _ in declarations(connection) if table.is_static)


def time_series_views(connection: duckdb.DuckDBPyConnection) -> list[FeatureView]:
    """Return the declared feature views whose values change with time."""
    return [table for table, _ in declarations(connection) if not table.is_static]


def contracts(connection: duckdb.DuckDBPyConnection, lake: str = "lake") -> dict[str, Contract]:
    """Return the contracts of all tables in the state of the lake, including the time-series tables declared in it."""
    return CONTRACTS | {table.table: table.contract for table, _ in declarations(connection, lake)}


def utc(time: datetime) -> datetime:
    """Return a time in UTC; a time without a zone is one of UTC."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
