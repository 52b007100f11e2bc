"""Kept rows: the rows of one version of a small table in memory, found by key or by Lance's address.

Lance reads sixty rows of many words in 6 to 8 ms, and a search reads them twice. Here that takes a tenth of a millisecond.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from warehouse.vectors.lance_tables import KEY

ROW_ID = "_rowid"
MOST_ROWS = 150_000
"""Row count up to which rows are kept: 220 MB at 1.5 kB a row."""


class KeptRows:
    """Hold rows with a unique key and an address."""

    def __init__(self, rows: pl.DataFrame) -> None:
        """Take the rows, with the columns `KEY` and `ROW_ID` among others."""
        self._rows = rows.sort(ROW_ID)
        self._ids = self._rows[ROW_ID].to_numpy()
        self._places = {key: place for place, key in enumerate(self._rows[KEY])}

    def by_key(self, keys: Sequence[str]) -> pl.DataFrame:
        """Return the rows with these keys, in their order, without the addresses; unknown keys are ignored."""
        return self._rows[[self._places[key] for key in keys if key in self._places]].drop(ROW_ID)

    def by_id(self, ids: Sequence[int]) -> pl.DataFrame:
        """Return the rows at these addresses, all of which exist, in their order."""
        return self._rows[np.searchsorted(self._ids, np.array(ids, np.uint64))]
