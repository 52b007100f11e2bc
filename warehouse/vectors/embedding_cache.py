"""The embedding cache: an encoder encodes no text twice."""

import hashlib
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import WarehouseError
from warehouse.vectors.lance_tables import (
    KEY,
    LanceDirectory,
    delete_keys,
    key_field,
    merge,
    prune,
    scan,
    to_matrix,
    to_vectors,
    vector_type,
)

Matrix = npt.NDArray[np.float32]
_REMEMBERED = 32_768  # maximum texts of a remembered fill: 50 MB at 384 dimensions
_TAKE_ROWS = 32_768  # vectors in memory besides the result: 50 MB at 384 dimensions


def text_hash(text: str) -> str:
    """Return the MD5 of the exact text in UTF-8, as 32 hexadecimal digits."""
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


class _Filled(NamedTuple):
    """Remember the last fill for the next read: the row ids of the cached texts, and the vectors of the new ones."""

    table: str
    version: int
    cached: pa.Table
    encoded: pa.Table

    def covers(self, table: Any, hashes: pa.Array) -> bool:
        """Tell whether the fill has all of these texts, in the table's current version."""
        if (self.table, self.version) != (table.name, table.version):
            return False
        is_covered = pc.or_(*(pc.is_in(hashes, value_set=each[KEY]) for each in (self.cached, self.encoded)))
        return bool(pc.all(is_covered).as_py())


@dataclass(frozen=True)
class FillResult:
    """Count the distinct texts of a fill and those that had to be encoded."""

    distinct: int
    encoded: int


class EmbeddingCache:
    """Keep text vectors by encoder and exact text.

    Each encoder has a Lance table `embeddings_<fingerprint>` with one row per distinct text: `key` (hash of the text) and
    `vector`. The fingerprint must cover everything that affects a vector: weights, pooling, length, precision, template.
    """

    def __init__(self, root: Path) -> None:
        self._directory = LanceDirectory(root)
        self._filled: _Filled | None = None

    def fill(
        self,
        texts: Iterable[str],
        encode: Callable[[list[str]], Matrix],
        fingerprint: str,
        *,
        commit_texts: int = 8192,
        on_start: Callable[[int], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> FillResult:
        """Encode the texts that are not cached for this encoder, each once; write nothing if there are none.

        Args:
            texts: Texts in any order and number, repeated or not.
            encode: Returns one row per text, (texts, dim); receives at most `commit_texts` texts.
            fingerprint: Names the encoder.
            commit_texts: Texts encoded between two commits, the most that a killed run loses.
            on_start: Receives the number of texts to encode before the first, unless it is 0.
            on_progress: Receives the number of encoded texts and the total after each commit.

        Raises:
            WarehouseError: `encode` returned another shape than (texts, dim), NaN or infinity.
        """
        by_hash = {text_hash(text): text for text in texts}
        cached = self._cached_rows(list(by_hash), fingerprint)
        cached_hashes = set(cached[KEY].to_pylist())
        new_hashes = [each for each in by_hash if each not in cached_hashes]
        self._filled = None
        if on_start and new_hashes:
            on_start(len(new_hashes))
        for start in range(0, len(new_hashes), commit_texts):
            hashes = new_hashes[start : start + commit_texts]
            vectors = _checked(encode([by_hash[each] for each in hashes]), len(hashes), fingerprint)
            schema = pa.schema([key_field(KEY, pa.string()), pa.field("vector", vector_type(vectors.shape[1]))])
            rows = pa.table([pa.array(hashes, pa.string()), to_vectors(vectors)], schema=schema)
            table = self._directory.create(_table_name(fingerprint), schema)
            merge(table, rows, update=False)
            if len(by_hash) <= _REMEMBERED and len(new_hashes) <= commit_texts:
                self._filled = _Filled(table.name, table.version, cached, rows)
            if on_progress:
                on_progress(start + len(hashes), len(new_hashes))
        return FillResult(len(by_hash), len(new_hashes))

    def vectors(self, texts: Sequence[str], fingerprint: str) -> Matrix:
        """Return the cached vectors (texts, dim) in the order of the texts.

        Every call scans all keys, 0.3 to 0.7 s for a million, so request many texts at a time. For no texts: (0, dim), or
        (0, 0) if nothing is cached.

        Raises:
            WarehouseError: A text has no cached vector.
        """
        hashes = pa.array([text_hash(text) for text in texts], pa.string())
        table = self._directory.open(_table_name(fingerprint))
        if not len(texts):
            width = table.schema.field("vector").type.list_size if table is not None else 0
            return np.empty((0, width), np.float32)
        if table is None:
            raise _missing_error(len(hashes), len(hashes), fingerprint)
        if self._filled is not None and self._filled.covers(table, hashes):
            return _assemble(table, hashes, self._filled.cached, self._filled.encoded)
        cached = _among(scan(table, [KEY], row_id=True, among=hashes.to_pylist()), hashes)
        positions = pc.index_in(hashes, value_set=cached[KEY])
        if positions.null_count:
            raise _missing_error(positions.null_count, len(hashes), fingerprint)
        return _take(table, cached["_rowid"].to_numpy()[positions.to_numpy()])

    def count(self, fingerprint: str) -> int:
        """Return the number of texts cached for an encoder."""
        table = self._directory.open(_table_name(fingerprint))
        return 0 if table is None else int(table.count_rows())

    def encoders(self) -> list[str]:
        """Return the fingerprints of the encoders with cached texts."""
        return [name.removeprefix(_table_name("")) for name in self._directory.names(_table_name(""))]

    def drop(self, fingerprint: str) -> None:
        """Remove the cache of an encoder."""
        self._directory.drop(_table_name(fingerprint))

    def unused(self, fingerprint: str, used: Set[str]) -> list[str]:
        """Return the hashes of the cached texts that are not in `used`."""
        table = self._directory.open(_table_name(fingerprint))
        return [] if table is None else [key for key in scan(table, [KEY])[KEY].to_pylist() if key not in used]

    def prune(self, fingerprint: str, unused: Sequence[str], before: datetime) -> None:
        """Delete the texts with these hashes, and prune the versions older than a time."""
        table = self._directory.open(_table_name(fingerprint))
        if table is not None:
            delete_keys(table, unused)
            prune(table, (), before)

    def _cached_rows(self, hashes: list[str], fingerprint: str) -> pa.Table:
        """Return the key and row id of the cached texts."""
        table = self._directory.open(_table_name(fingerprint))
        if table is None or not hashes:
            return pa.table({KEY: pa.array([], pa.string()), "_rowid": pa.array([], pa.uint64())})
        return _among(scan(table, [KEY], row_id=True, among=hashes), pa.array(hashes, pa.string()))


def _among(rows: pa.Table, keys: pa.Array) -> pa.Table:
    """Return the rows of some keys, by a hash set of the few keys, which is faster than one of all rows."""
    return rows.filter(pc.is_in(rows[KEY], value_set=keys))


def _assemble(table: Any, hashes: pa.Array, cached: pa.Table, encoded: pa.Table) -> Matrix:
    """Return the vectors of texts, (len(hashes), dim): from `encoded` if they are in it, else by their row ids in `cached`."""
    fresh = pc.index_in(hashes, value_set=encoded[KEY])
    is_fresh = fresh.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.empty((len(hashes), encoded["vector"].type.list_size), np.float32)
    vectors[is_fresh] = to_matrix(encoded["vector"])[fresh.drop_null().to_numpy()]
    if not is_fresh.all():
        places = pc.index_in(hashes.filter(pa.array(~is_fresh)), value_set=cached[KEY]).to_numpy()
        vectors[~is_fresh] = _take(table, cached["_rowid"].to_numpy()[places])
    return vectors


def _take(table: Any, row_ids: npt.NDArray[np.uint64]) -> Matrix:
    """Read vectors by row id, (len(row_ids), dim), in slices and in the order of the file."""
    result = np.empty((len(row_ids), table.schema.field("vector").type.list_size), np.float32)
    order = np.argsort(row_ids, kind="stable")
    for start in range(0, len(order), _TAKE_ROWS):
        places = order[start : start + _TAKE_ROWS]
        unique_ids, where = np.unique(row_ids[places], return_inverse=True)
        rows = table.take_row_ids(unique_ids.tolist()).select(["vector"]).with_row_id().to_arrow()
        order_by_id = np.argsort(rows["_rowid"].to_numpy())  # both ascending
        result[places] = to_matrix(rows["vector"])[order_by_id][where]
    return result


def _checked(vectors: Matrix, rows: int, fingerprint: str) -> Matrix:
    if vectors.ndim != 2 or len(vectors) != rows:
        raise WarehouseError(
            f"encoder {fingerprint} returned an array of shape {vectors.shape} for {rows} texts, not one vector per text",
            "use another encoder: STOCKROOM_ENCODER__MODEL",
        )
    if not np.isfinite(vectors).all():
        raise WarehouseError(
            f"encoder {fingerprint} returned vectors with NaN or infinity for {rows} texts",
            "set STOCKROOM_ENCODER__PRECISION=f32",
        )
    return vectors


def _missing_error(count: int, total: int, fingerprint: str) -> WarehouseError:
    return WarehouseError(
        f"{count} of {total} texts have no cached vector of encoder {fingerprint}",
        "encode the texts with: stockroom build",
    )


def _table_name(fingerprint: str) -> str:
    return f"embeddings_{fingerprint}"
