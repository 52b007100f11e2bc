"""Index recall: compare the hits of a vector index with exact search, on a sample."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from warehouse.vectors.lance_tables import KEY, to_matrix
from warehouse.vectors.product_vectors import VectorStore

_CUT = 10
_SURE = 3.09  # standard deviations on one side: 0.1 %


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
