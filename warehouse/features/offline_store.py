"""The offline store: the features of products and queries in the lake, to fill the online table and to compare it with."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import duckdb
import polars as pl

from warehouse.features import datasets, feature_views, point_in_time
from warehouse.lake import catalog, change_feed
from warehouse.lake.lake import scalar

Entity = Literal["product", "query"]
ENTITIES: tuple[Entity, ...] = ("product", "query")

_TABLES = {"product": "features.products", "query": "features.queries"}
"""The feature table of each entity."""
_HIDDEN = "feature_hash"
_MADE_OF: dict[Entity, tuple[str, ...]] = {
    "product": ("staging.products", "features.products"),
    "query": ("staging.queries", "features.queries"),
}


def keys(connection: duckdb.DuckDBPyConnection, entity: Entity) -> pl.DataFrame:
    """Return the keys of all rows, a frame (key)."""
    return connection.sql(f"SELECT key FROM {_TABLES[entity]}").pl()


def changed_keys(connection: duckdb.DuckDBPyConnection, entity: Entity, since: int) -> pl.DataFrame | None:
    """Return the keys of the rows that may differ from an earlier snapshot, a frame (key); None: all rows may.

    All rows may differ if time-series features changed, since the as-of time moves for every row.
    """
    contracts = feature_views.contracts(connection)
    views = [view for view, _ in feature_views.declarations(connection)]
    everywhere = ["registry.feature_views", *(view.table for view in views if not view.is_static)]
    last = catalog.last_changes(connection)
    if any(last.get(name, 0) > since for name in everywhere):
        return None
    static = [view.table for view in views if view.is_static and view.entity == entity]
    return change_feed.changed_keys(connection, [contracts[name] for name in (*_MADE_OF[entity], *static)], since)


def rows(
    connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame | None, batch_rows: int = 50_000
) -> Iterator[pl.DataFrame]:
    """Yield the rows of some keys with their time-series features, sorted by key; at least one frame, maybe empty.

    Args:
        connection: To the lake.
        entity: The kind of rows.
        keys: The keys, one column `key`; None: all keys.
        batch_rows: The maximum rows in a frame.
    """
    name = f"datasets.{_TABLES[entity].split('.')[1]}"
    source = datasets.among(connection, name, keys)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rows_wanted AS SELECT row_number() OVER (ORDER BY key) AS place, * "
        f"FROM (SELECT COLUMNS(name -> name <> '{_HIDDEN}') FROM ({source})) ORDER BY key"
    )
    for start in range(0, max(1, scalar(connection, "SELECT count(*) FROM rows_wanted")), batch_rows):
        part = f"FROM rows_wanted WHERE place BETWEEN {start + 1} AND {start + batch_rows} ORDER BY place"
        batch = connection.sql(f"SELECT * EXCLUDE place {part}").pl()
        yield point_in_time.add_features(connection, batch, {entity: "key"})
    connection.execute("DROP TABLE rows_wanted")


def encoded(
    connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame | None, batch_rows: int = 50_000
) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Yield the rows of `rows` encoded: the column names, and a frame of `key`, `values` (a JSON array) and `input_hash`.

    The hash is the first 16 hex digits of the MD5 of names and values.
    """
    for part in rows(connection, entity, keys, batch_rows):
        connection.register("part", part)
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in part.columns)
        rows_as_json = connection.execute(
            'SELECT key, "values", md5(concat(?::VARCHAR, "values"))[:16] AS input_hash '
            f'FROM (SELECT key, json_array({listed})::VARCHAR AS "values" FROM part)',
            [json.dumps(part.columns)],
        ).pl()
        connection.unregister("part")
        yield part.columns, rows_as_json


def decoded(connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows of some keys by key, as JSON values."""
    return {
        key: dict(zip(names, json.loads(values), strict=True))
        for names, part in encoded(connection, entity, keys)
        for key, values in part.select("key", "values").iter_rows()
    }


def counted_sample(
    connection: duckdb.DuckDBPyConnection, entity: Entity, rows: int, seed: int
) -> tuple[int, pl.DataFrame]:
    """Return the row count, and a sample of keys, column `key`, that depends only on the seed and the keys."""
    drawn = f"SELECT count(*), arg_min(key, md5(concat(?::VARCHAR, ' ', key)), ?) FROM {_TABLES[entity]}"
    count, keys = connection.execute(drawn, [seed, rows]).fetchone() or (0, None)
    return int(count), pl.DataFrame({"key": keys or []}, schema={"key": pl.String})
