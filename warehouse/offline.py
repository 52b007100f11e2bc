"""What the lake says of products and queries at its as-of time: the rows that the online table holds and is held against."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import duckdb
import polars as pl

from warehouse import dated, scopes, tables
from warehouse.lake import scalar

Entity = Literal["product", "query"]
ENTITIES: tuple[Entity, ...] = ("product", "query")

_SOURCES = {"product": "read.products", "query": "read.queries"}
_HIDDEN = "feature_hash"


def hashes(connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return key and input_hash of every row, or of those under `keys`: the start of the MD5 of its columns' names and values."""
    source = _source(entity) if keys is None else _among(connection, entity, keys)
    rows = connection.sql(f"SELECT key, md5(to_json(source)::VARCHAR) AS row_hash FROM ({source}) AS source").pl()
    with_dated = dated.add_features(connection, rows, {entity: "key"})
    added = with_dated.columns[rows.width :]
    parts = with_dated.select("key", "row_hash", dated=pl.struct(added).struct.json_encode() if added else pl.lit(""))
    connection.register("hash_parts", parts)
    hashed = connection.sql("SELECT key, md5(concat(row_hash, dated))[:16] AS input_hash FROM hash_parts").pl()
    connection.unregister("hash_parts")
    return hashed


def rows(
    connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame, batch_rows: int = 50_000
) -> Iterator[pl.DataFrame]:
    """Yield the rows of some keys, by key, dated features among them; at least one frame, be it empty.

    Args:
        connection: To the lake.
        entity: Whose rows.
        keys: The keys, one column `key`.
        batch_rows: Rows in a frame at most.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rows_wanted AS SELECT row_number() OVER (ORDER BY key) AS place, * "
        f"FROM ({_among(connection, entity, keys)}) ORDER BY key"
    )
    for start in range(0, max(1, scalar(connection, "SELECT count(*) FROM rows_wanted")), batch_rows):
        part = f"FROM rows_wanted WHERE place BETWEEN {start + 1} AND {start + batch_rows} ORDER BY place"
        wanted = connection.sql(f"SELECT * EXCLUDE place {part}").pl()
        yield dated.add_features(connection, wanted, {entity: "key"})
    connection.execute("DROP TABLE rows_wanted")


def encoded(
    connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame, batch_rows: int = 50_000
) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Yield like `rows`, but the names of the columns, and a frame of key and `values`, a JSON array."""
    for part in rows(connection, entity, keys, batch_rows):
        connection.register("part", part)
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in part.columns)
        yield part.columns, connection.sql(f'SELECT key, json_array({listed})::VARCHAR AS "values" FROM part').pl()
        connection.unregister("part")


def decoded(connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows of some keys by key, as they read in JSON."""
    return {
        key: dict(zip(names, json.loads(values), strict=True))
        for names, part in encoded(connection, entity, keys)
        for key, values in part.iter_rows()
    }


def counted_sample(
    connection: duckdb.DuckDBPyConnection, entity: Entity, rows: int, seed: int
) -> tuple[int, pl.DataFrame]:
    """Return how many rows there are, and the keys of some, column `key`: the same for the same seed and keys."""
    drawn = f"SELECT count(*), arg_min(key, md5(concat(?::VARCHAR, ' ', key)), ?) FROM ({_source(entity)})"
    count, keys = connection.execute(drawn, [seed, rows]).fetchone() or (0, None)
    return int(count), pl.DataFrame({"key": keys or []}, schema={"key": pl.String})


def _source(entity: Entity) -> str:
    return _shown(tables.sql(_SOURCES[entity]))


def _among(connection: duckdb.DuckDBPyConnection, entity: Entity, keys: pl.DataFrame) -> str:
    return _shown(scopes.among(connection, _SOURCES[entity], keys))


def _shown(source: str) -> str:
    return f"SELECT COLUMNS(name -> name <> '{_HIDDEN}') FROM ({source})"
