"""Consistency: counts of violations across stores; all are zero in a healthy home."""

import duckdb
import polars as pl

from warehouse.features import offline_store
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.lake import scalar
from warehouse.serving.release_log import Release
from warehouse.wording import counted

_SAMPLE = 100  # products, and queries, that are compared


def leaked_queries(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the distinct query texts that occur both in the test split and outside it, in the same locale."""
    return scalar(connection, tables.sql("consistency.leaked_queries"))


def key_differences(home: Home, release: Release) -> tuple[int, int]:
    """Count the products of the release's snapshot without a vector, and the vectors without a product."""
    return catalog_differences(home, release.vector_table, release.vector_version, release.snapshot)


def catalog_differences(
    home: Home, vector_table: str, version: int, snapshot: int, among: pl.DataFrame | None = None
) -> tuple[int, int]:
    """Count the products of a snapshot without a vector in a version of a table, and the vectors without a product.

    If all other keys matched before, only the keys in `among` (key) are compared, provided that there are as many vectors
    as products.
    """
    with home.lake.reading(snapshot) as connection:
        if among is not None and home.vectors.count(vector_table, version) == tables.count(
            connection, "features.products"
        ):
            connection.register("keys_among", among)
            product_keys = connection.sql("SELECT key FROM features.products WHERE key IN (FROM keys_among)").pl()
            vector_keys = home.vectors.current(vector_table, among, version=version).select("key")
        else:
            product_keys = connection.sql("SELECT key FROM features.products").pl()
            vector_keys = pl.DataFrame({"key": pl.Series(home.vectors.read(vector_table, version, ["key"])["key"])})
    missing_count = product_keys.join(vector_keys, on="key", how="anti").height
    return missing_count, vector_keys.join(product_keys, on="key", how="anti").height


def online_differences(home: Home, release: Release) -> dict[str, list[str]]:
    """Return, by entity, the differences between the online table and the lake at the release's snapshot.

    Compares the number of keys, and all features of a sample of keys, drawn with the snapshot as the seed.
    """
    differences: dict[str, list[str]] = {}
    with home.lake.reading(release.snapshot) as connection:
        for entity in offline_store.ENTITIES:
            expected_count, keys = offline_store.counted_sample(connection, entity, _SAMPLE, release.snapshot)
            expected = offline_store.decoded(connection, entity, keys)
            stored = home.online.rows(entity, release.snapshot, keys["key"].to_list())
            differences[entity] = [key for key, row in zip(keys["key"], stored, strict=True) if row != expected[key]]
            count = home.online.count(entity, release.snapshot)
            if count != expected_count:
                differences[entity].append(f"{counted(count, 'key')}, not {expected_count:,}")
    return differences
