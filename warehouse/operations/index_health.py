"""Index health: what a vector table holds against the catalog and its own exact search, at the cost of a sample."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import offline_store
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.vectors.lance_tables import KEY, to_matrix
from warehouse.vectors.product_vectors import VectorStore

EVENTS = CONTRACTS["raw.events"]
_CUT = 10
_DELETES = 1_000  # the newest ones that are looked for
_SURE = 3.09  # standard deviations on one side: 0.1 %


@dataclass(frozen=True)
class TableHealth:
    """Say what was found of the newest version of a vector table.

    Attributes:
        rows: Its rows.
        catalog_rows: The products of the catalog as it now stands.
        unindexed_share: The share of rows outside the index, 0 to 1; 0 for a table so small that it needs none.
        sampled: Keys of the rows that were looked at, the newest among them.
        unknown: Those of them that the catalog does not have.
        deleted: Products taken out by the newest deltas that have a vector all the same.
    """

    rows: int
    catalog_rows: int
    unindexed_share: float
    sampled: list[str]
    unknown: list[str]
    deleted: list[str]


@dataclass(frozen=True)
class Recall:
    """Say how many of the products that an exact search finds the index found, of `relevant` that were looked for."""

    found: int
    relevant: int

    @property
    def share(self) -> float | None:
        """Return the recall, 0 to 1; None where nothing could be looked for."""
        return self.found / self.relevant if self.relevant else None

    def is_surely_below(self, least: float) -> bool:
        """Tell whether the recall lies below `least` beyond doubt (0.1 %): the upper end of Wilson's interval does."""
        if not self.relevant:
            return False
        share, count, z = self.found / self.relevant, self.relevant, _SURE
        spread = z * sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
        return (share + z**2 / (2 * count) + spread) / (1 + z**2 / count) < least


def table_health(home: Home, name: str, sampled: list[str]) -> TableHealth:
    """Count a vector table's rows, and look its sampled rows up in the catalog and the newest deletes up in it."""
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
            tombstones += " ORDER BY arrival DESC, key LIMIT ?"
            rows = connection.execute(
                f"FROM ({tombstones}) ANTI JOIN features.products USING (key)", ["raw.products", "delete", _DELETES]
            )
            deleted_keys = [key for (key,) in rows.fetchall()]
    status = home.vectors.index_status(name)
    return TableHealth(
        rows=status.rows,
        catalog_rows=catalog_rows,
        unindexed_share=status.unindexed_share,
        sampled=sampled,
        unknown=sorted(set(sampled) - known_keys),
        deleted=home.vectors.present_keys(name, deleted_keys),
    )


def products(home: Home, keys: list[str]) -> pl.DataFrame:
    """Return some products as they now are: text, features and time-series features of those that the catalog has."""
    with home.lake.reading() as connection:
        return pl.concat(
            offline_store.rows(connection, "product", pl.DataFrame({"key": keys}, schema={"key": pl.String}))
        )


def index_recall(store: VectorStore, name: str, *, seed: int, queries: int, exact_rows: int = 50_000) -> Recall:
    """Search for the neighbours of some products through the index, and exactly among part of the rows.

    A row of that part which lies nearer than the last of the index's ten hits, and is none of them, was missed. So the cost
    does not grow with the table, and the recall of the part is that of the whole. Without an index nothing is looked for:
    search is exact then.

    Args:
        store: The vectors.
        name: The table; its newest version is searched.
        seed: Which products and which part.
        queries: Products whose neighbours are searched for, a count.
        exact_rows: Rows that are compared one by one, a count.
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
