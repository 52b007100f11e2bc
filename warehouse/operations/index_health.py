"""Index health: compare a vector table with the catalog and with its own exact search, on a sample."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import offline_store
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.vectors.ann_index import unindexed_share
from warehouse.vectors.lance_tables import KEY, to_matrix
from warehouse.vectors.product_vectors import VectorStore

EVENTS = CONTRACTS["raw.events"]
_CUT = 10
_DELETES = 1_000  # the newest deletes that are looked up
_SURE = 3.09  # standard deviations on one side: 0.1 %


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


@dataclass(frozen=True)
class Recall:
    """Count the `relevant` products, which exact search finds, and the `hits` among them, which the index finds."""

    hits: int
    relevant: int

    @property
    def share(self) -> float | None:
        """Return the recall, 0 to 1; None if nothing is relevant."""
        return self.hits / self.relevant if self.relevant else None

    def is_surely_below(self, least: float) -> bool:
        """Tell whether the upper end of the recall's Wilson interval (0.1 % error) lies below `least`."""
        if not self.relevant:
            return False
        share, count, z = self.hits / self.relevant, self.relevant, _SURE
        spread = z * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
        return (share + z**2 / (2 * count) + spread) / (1 + z**2 / count) < least


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


def index_recall(store: VectorStore, name: str, *, seed: int, queries: int, exact_rows: int = 50_000) -> Recall:
    """Measure the recall@10 of the index against exact search in part of the rows, for some products as queries.

    The index missed a row of the part if it is nearer than the last of the ten hits and not among them. The cost does not
    grow with the table, and the recall of the part estimates that of the whole. Without an index search is exact, and
    nothing is measured.

    Args:
        store: The vectors.
        name: The table; its newest version is searched.
        seed: Selects the products and the part.
        queries: Products whose neighbors are searched for, a count.
        exact_rows: Rows of the exact search, a count.
    """
    if not store.index_status(name).indexed:
        return Recall(0, 0)
    part = store.part(name, exact_rows, seed)
    keys, vectors = part[KEY].to_pylist(), to_matrix(part["vector"])  # (rows, dim)
    version, hit_count, relevant_count = store.version(name), 0, 0
    for place in np.random.default_rng(seed).permutation(len(keys))[:queries]:
        hits = store.search(name, version, vectors[place], _CUT + 1)
        names = set(hits["key"]) - {keys[place]}
        scores = vectors @ vectors[place]  # (rows,)
        near = {keys[each] for each in np.flatnonzero(scores > hits["score"][-1] + 1e-6)} - {keys[place]}
        relevant_count += len(near)
        hit_count += len(near & names)
    return Recall(hit_count, relevant_count)
