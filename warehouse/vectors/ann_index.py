"""Upkeep of a vector table: build the vector index where it pays, take new rows into it, join small files.

Separate from writing rows, so that a release always pins a version whose index is whole.
"""

import math
from dataclasses import dataclass
from typing import Any

from warehouse.vectors.lance_tables import KEEP_ALL_VERSIONS

_CODE_BITS = 3  # a dimension: one bit needs four times the candidates for the same recall
_LEAST_PROBES = 20
INDEX_ABOVE = 100_000
"""Rows from which on a table has a vector index; below, search compares with every vector and is fast enough."""


FLAT_ROWS = 25_000
"""Rows outside the index that a search may compare with one by one: 16 ms at 384 dimensions on two cores, 50 on one."""


@dataclass(frozen=True)
class IndexStatus:
    """Say how many rows a table has, how many of them its vector index covers (none without one), and in how many segments."""

    rows: int
    indexed: bool
    unindexed_rows: int
    segments: int = 0

    @property
    def unindexed_share(self) -> float:
        """Return the share of rows outside the index, 0 to 1; 0 for a table that is too small to need one."""
        return self.unindexed_rows / self.rows if self.indexed or self.rows >= INDEX_ABOVE else 0.0


def index_status(table: Any) -> IndexStatus:
    """Read the state of a table's vector index. Rows outside it are still found, only by scanning them."""
    for index in table.list_indices():
        if list(index.columns) == ["vector"]:
            return IndexStatus(int(table.count_rows()), True, int(index.num_unindexed_rows), index.num_segments or 1)
    rows = int(table.count_rows())
    return IndexStatus(rows, False, rows)


def refresh_index(table: Any, *, index_above: int, compact_above: int, unindexed_share: float) -> None:
    """Bring the index up to date and write nothing when it is.

    The index is IVF with RabitQ codes of three bits a dimension: the best recall at the same speed of those compared, at
    54,667 real titles and at a million vectors made of real ones. Its codes only choose candidates, search refines them
    with the stored vectors.

    New rows stay outside while they are few, where a search compares with each; then the index is made anew. Lance could
    take them in, as a segment of the index for each time, and a search looks through all segments: at a million rows one
    costs it as much as 10,000 rows outside do, and every now and then Lance joins them all, which takes as long as a new index.

    Args:
        table: A table with a `vector` column.
        index_above: Rows from which on there is an index; below, exact search is fast enough.
        compact_above: Files from which on they are joined.
        unindexed_share: Rows that may lie outside the index, 0 to 1 of all, while they are no more than `FLAT_ROWS`.
    """
    from lancedb.index import IvfRq

    status = index_status(table)
    is_scattered = int(table.stats()["fragment_stats"]["num_fragments"]) > compact_above
    is_behind = status.unindexed_rows > min(FLAT_ROWS, unindexed_share * status.rows) or status.segments > 1
    if status.indexed and (is_behind or is_scattered):
        # Without it the files can be joined, and rows are drawn from joined ones in a tenth of the time.
        for index in table.list_indices():
            table.drop_index(index.name)
    elif not is_scattered and (status.indexed or status.rows < index_above):
        return
    # One call in lancedb with the clean-up of old versions, which would stop at a tagged one.
    table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)
    if status.indexed or status.rows >= index_above:
        partitions = math.isqrt(status.rows)
        table.create_index(
            "vector", config=IvfRq(distance_type="cosine", num_partitions=partitions, num_bits=_CODE_BITS)
        )


def probes(rows: int) -> int:
    """Return how many partitions a search looks at in a table of so many rows: a fifth of them, and not a few.

    At 1,000,000 vectors that finds .99 of the true ten nearest; a twenty-fifth of the partitions finds .96.
    """
    return max(_LEAST_PROBES, math.isqrt(rows) // 5)
