"""Index health: compare the rows of a vector table with the catalog, on a sample."""

from dataclasses import dataclass

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import offline_store
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.vectors.ann_index import unindexed_share

EVENTS = CONTRACTS["raw.events"]
_DELETES = 1_000  # the newest deletes that are looked up


@dataclass(frozen=True)
class TableHealth:
    """Measure the newest version of a vector table.

    Attributes:
        rows: Its row count.
        catalog_rows: The number of products in the current catalog.
        unindexed_share: The share of rows outside the index, 0 to 1; 0 for a table too small to need one.
        sampled: Keys of the sampled rows, the newest among them.
        unknown: The sampled keys that are not in the catalog.
        deleted: Products that the newest deltas deleted and that still have a vector.
    """

    rows: int
    catalog_rows: int
    unindexed_share: float
    sampled: list[str]
    unknown: list[str]
    deleted: list[str]


def table_health(home: Home, name: str, sampled: list[str]) -> TableHealth:
    """Count a vector table's rows, look up its sampled rows in the catalog, and look up the newest deletes in it."""
    with home.lake.reading() as connection:
        catalog_rows = tables.count(connection, "features.products")
        sampled_keys = pl.DataFrame({"key": sampled}, schema={"key": pl.String})
        connection.register("sampled", sampled_keys)
        known_keys = {
            key
            for (key,) in connection.sql("SELECT key FROM features.products SEMI JOIN sampled USING (key)").fetchall()
        }
        deleted_keys: list[str] = []
        if tables.exists(connection, EVENTS.table):
            tombstones = f'SELECT row_key AS key FROM {EVENTS.table} WHERE "table" = ? AND op = ?'
            tombstones += " ORDER BY sequence_number DESC, key LIMIT ?"
            rows = connection.execute(
                f"FROM ({tombstones}) ANTI JOIN features.products USING (key)", ["raw.products", "delete", _DELETES]
            )
            deleted_keys = [key for (key,) in rows.fetchall()]
    status = home.vectors.index_status(name)
    return TableHealth(
        rows=status.rows,
        catalog_rows=catalog_rows,
        unindexed_share=unindexed_share(status),
        sampled=sampled,
        unknown=sorted(set(sampled) - known_keys),
        deleted=home.vectors.present_keys(name, deleted_keys),
    )


def products(home: Home, keys: list[str]) -> pl.DataFrame:
    """Return the current text, features and time-series features of the products that the catalog has."""
    with home.lake.reading() as connection:
        return pl.concat(
            offline_store.rows(connection, "product", pl.DataFrame({"key": keys}, schema={"key": pl.String}))
        )
