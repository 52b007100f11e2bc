"""Exact search in memory: the vectors of a small table, compared with a query all at once.

LanceDB reads and decodes every vector again for each query without an index: 20 ms for 10,000 vectors of 384 dimensions. Here
that takes 1.3 ms on one core, and 12 ms for 100,000.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from warehouse.vectors.lance_tables import KEY, to_matrix

COLUMNS = (KEY, "product_id", "locale", "title", "vector")
_DESCRIBED = dict.fromkeys(COLUMNS[:-1], pl.String)
_CHUNK_ROWS = 10_000
_FEW = (
    0.2  # share of the rows below which their vectors are copied: that takes as long as to compare five times as many
)
DISTANCE = "_distance"

Vector = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


class ExactSearch:
    """Hold the rows of one version of a vector table."""

    def __init__(self, batches: Iterable[pa.RecordBatch], count: int, dim: int) -> None:
        """Read the columns `COLUMNS` of every row: `count` rows, with vectors of `dim` numbers."""
        self._matrix: Vector = np.empty((count, dim), np.float32)
        described, start = [pl.DataFrame(schema=_DESCRIBED)], 0
        for batch in batches:
            self._matrix[start : start + batch.num_rows] = to_matrix(batch["vector"])
            described.append(pl.DataFrame(batch.drop_columns(["vector"])).select(*_DESCRIBED))
            start += batch.num_rows
        _to_length_one(self._matrix)
        self._rows = pl.concat(described)
        self._places = {key: place for place, key in enumerate(self._rows[KEY])}
        places = self._rows.with_row_index("place").group_by("locale").agg("place")
        self._by_locale = {str(locale): np.array(each, np.int64) for locale, each in places.iter_rows()}

    def nearest(self, vector: Vector, k: int, locale: str | None = None) -> pa.Table:
        """Return the `k` nearest rows of a locale, and all that tie with the last: the columns but the vector, and the distance.

        The order of the rows is arbitrary. The distance is 1 - cosine.
        """
        if locale is None:
            return self._best(np.arange(len(self._matrix)), _cosines(self._matrix, vector), k)
        places = self._by_locale.get(locale, np.empty(0, np.int64))
        first, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        cosines = _cosines(self._matrix[first:end], vector)  # mostly of this locale: a build writes locale by locale
        return self._best(places, cosines[places - first], k)

    def nearest_among(self, vector: Vector, k: int, keys: Collection[str]) -> pa.Table:
        """Return the `k` nearest of some rows, like `nearest`; unknown keys are ignored."""
        places = self._places_of(keys)
        if len(places) > _FEW * len(self._matrix):
            return self._best(places, _cosines(self._matrix, vector)[places], k)
        return self._best(places, _cosines(self._matrix[places], vector), k)

    def cosines(self, vector: Vector, keys: Sequence[str]) -> dict[str, float]:
        """Return the cosines of a few rows by key; unknown keys are ignored."""
        known = [key for key in keys if key in self._places]
        return dict(zip(known, _cosines(self._matrix[self._places_of(known)], vector).tolist(), strict=True))

    def vector(self, key: str) -> Vector | None:
        """Return the vector of a row, of length 1: (dim,); None for an unknown key."""
        place = self._places.get(key)
        return None if place is None else self._matrix[place]

    def _places_of(self, keys: Collection[str]) -> Places:
        return np.array([self._places[key] for key in keys if key in self._places], np.int64)

    def _best(self, places: Places, cosines: Vector, k: int) -> pa.Table:
        if len(places) > k:
            best = cosines >= np.partition(cosines, len(cosines) - k)[len(cosines) - k]
            places, cosines = places[best], cosines[best]
        return self._rows[places].to_arrow().append_column(DISTANCE, pa.array(1.0 - cosines))


def _to_length_one(matrix: Vector) -> None:
    """Scale the rows that are not of length 1, some at a time, so that no second matrix is made."""
    for start in range(0, len(matrix), _CHUNK_ROWS):
        part = matrix[start : start + _CHUNK_ROWS]
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        if not np.allclose(lengths, 1.0, atol=1e-6):
            part /= lengths


def _cosines(matrix: Vector, vector: Vector) -> Vector:
    """Return the product of each row and a vector: (rows,). Equal rows get equal products, unlike in a matrix product."""
    products: Vector = np.vecdot(matrix, vector)
    return products
