"""The state of a table's index, and the joining of its files: what the upkeep of both kinds of index has in common."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from warehouse.vectors.lance_tables import KEEP_ALL_VERSIONS

MOST_FILES = 32
"""Number of files above which the upkeep of an index joins them first."""

_LOST = "preempted by concurrent transaction"


@dataclass(frozen=True)
class IndexStatus:
    """Hold a table's row count, and its index's coverage, number of segments, and the table's number of files."""

    rows: int
    indexed: bool
    unindexed_rows: int
    segments: int = 0
    files: int = 0


def status_of(table: Any, columns: Collection[str]) -> IndexStatus:
    """Read the state of the indexes of some columns; the least complete one counts."""
    indexes = [index for index in table.list_indices() if set(index.columns) <= set(columns)]
    rows, files = int(table.count_rows()), int(table.stats()["fragment_stats"]["num_fragments"])
    if {column for index in indexes for column in index.columns} < set(columns):
        return IndexStatus(rows, False, rows, files=files)
    outside = max(int(index.num_unindexed_rows) for index in indexes)
    return IndexStatus(rows, True, outside, max(index.num_segments or 1 for index in indexes), files)


def join_files(table: Any) -> bool:
    """Join small files, and take the rows outside into the indexes that there are; return whether that was possible.

    It is not while another process writes rows: its commit wins. Versions stay.
    """
    try:
        table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)
    except RuntimeError as error:
        if _LOST not in str(error):
            raise
        table.checkout_latest()
        return False
    return True
