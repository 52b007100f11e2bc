"""Training lookup: the event that each judged pair sees at the time of its judgement, the table training.point_in_time."""

from datetime import datetime
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import Entity
from warehouse.features.feature_views import REGISTRY, time_series_views, utc
from warehouse.features.point_in_time import as_of_join, values_of
from warehouse.lake import catalog, tables
from warehouse.lake.dependencies import derivations
from warehouse.lake.incremental import following, made_by
from warehouse.lake.lake import scalar
from warehouse.lake.reconcile import Plan
from warehouse.lake.watermarks import RunWatermarks
from warehouse.settings import WarehouseSettings

TRAINING = CONTRACTS["training.point_in_time"]
_PAIR_COLUMNS: dict[Entity, str] = {"product": "product_key", "query": "query_key", "context": "context_key"}


class PairCoverage(NamedTuple):
    """Hold the share of the judged pairs that see an event of a table, 0 to 1.

    `judged_until` is the time of the newest judgement where every event is later, else None.
    """

    share: float
    judged_until: datetime | None


def refresh_training(
    connection: duckdb.DuckDBPyConnection,
    settings: WarehouseSettings,
    run_watermarks: RunWatermarks | None = None,
    *,
    whole: bool = False,
) -> Plan:
    """Refresh training.point_in_time: the latest event of each judged pair at its judgement time."""
    declared = time_series_views(connection)
    derivation = derivations(table.table for table in declared)[TRAINING.table]
    tables.ensure(connection, TRAINING)
    with following(connection, derivation, made_by(derivation, settings), run_watermarks, whole=whole) as pending_rows:
        if pending_rows.is_nothing or (not declared and TRAINING.table not in catalog.ever_filled(connection)):
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
        for table in time_series_views(connection)
    ]
    nothing = ", ".join(f'NULL::{TRAINING.sql_type(name)} AS "{name}"' for name in TRAINING.columns)
    source = " UNION ALL ".join(queries) or f"SELECT {nothing} WHERE false"
    return tables.refresh_by(connection, TRAINING, source, where=where)


def add_training_features(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame) -> pl.DataFrame:
    """Add the features of the events in training.point_in_time to pairs (key, …), one column `table.column` each.

    Static features are not added: products have them, see `add_features`.
    """
    for table in time_series_views(connection):
        events = connection.execute(
            f"SELECT pair_key AS row, events.* FROM {TRAINING.table} JOIN {table.table} AS events "
            'ON event_key = events.key WHERE "table" = ?',
            [table.table],
        ).pl()
        pairs = pairs.hstack(values_of(pairs.select(row="key"), table, events, on="row"))
    return pairs


def pairs_with_values(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of pairs that see an event, by time-series table."""
    names = [table.table for table in time_series_views(connection)]
    counted = f'SELECT "table", count(*) FROM {TRAINING.table} GROUP BY ALL'
    pair_counts = dict(connection.execute(counted).fetchall()) if names else {}
    return {name: pair_counts.get(name, 0) for name in names}


def seen_events(connection: duckdb.DuckDBPyConnection) -> dict[str, PairCoverage]:
    """Return how much the judged pairs see of each time-series table."""
    pairs, newest = connection.execute("SELECT count(*), max(judged_at) FROM training.pairs").fetchone() or (0, None)
    coverages = {}
    for name, count in pairs_with_values(connection).items():
        (oldest,) = connection.execute(f"SELECT min(event_time) FROM {name}").fetchone() or (None,)
        is_later = bool(oldest and newest) and utc(oldest) > utc(newest)
        coverages[name] = PairCoverage(count / pairs if pairs else 0.0, utc(newest) if is_later else None)
    return coverages


def broken_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the rows of training.point_in_time whose event is after the judgement or too old for it."""
    return scalar(
        connection,
        f"SELECT count(*) FROM {TRAINING.table} "
        f"JOIN {REGISTRY.table} AS declared ON \"table\" = concat('timeseries.', declared.key) "
        "WHERE event_time > judged_at OR epoch_us(judged_at) - epoch_us(event_time) > round(ttl_days * 86400000000)",
    )


def _pairs(entity: Entity, where: str = "") -> str:
    return f"(SELECT key AS row, {_PAIR_COLUMNS[entity]} AS entity_key, judged_at AS as_of FROM training.pairs{where})"
