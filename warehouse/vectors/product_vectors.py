"""Product vectors: one table per product side, written by key, read and searched at exact versions."""

import hashlib
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from warehouse.errors import WarehouseError
from warehouse.vectors import exact_search
from warehouse.vectors.ann_index import INDEX_ABOVE, index_status, probes, refresh_index
from warehouse.vectors.exact_search import ExactSearch
from warehouse.vectors.index_status import MOST_FILES, IndexStatus
from warehouse.vectors.kept_versions import KeptVersions
from warehouse.vectors.lance_tables import (
    KEY,
    LanceDirectory,
    at_version,
    check_schema,
    delete_keys,
    has_same_rows,
    key_field,
    merge,
    present_keys,
    prunable,
    prune,
    run_coroutine,
    sampled_offsets,
    scan,
    scan_batches,
    to_matrix,
    vector_type,
    versions,
)

Rows: TypeAlias = pa.RecordBatch | pa.Table | pl.DataFrame
COLUMNS = (KEY, "product_id", "locale", "title", "vector", "input_hash")
_RANKED = {
    "rank": pl.UInt32,
    KEY: pl.String,
    "product_id": pl.String,
    "locale": pl.String,
    "title": pl.String,
    "score": pl.Float64,
}
_REFINE_FACTOR, _REFINED = 8, 200  # true vectors that are read for each result row, and in all if there are many rows
_FEW_KEYS = 5_000  # whose vectors are compared one by one
_PINNED_TABLES = 4  # opened versions kept by a searcher
_READ_ROWS = 10_000  # at a time, into memory
_IN_MEMORY = 2  # versions of tables without an index: the live release, and the next one while a server moves to it


def table_name(product_side: str) -> str:
    """Return the name of the vector table of a product side, relative to the directory."""
    return f"products_{product_side}"


@dataclass(frozen=True)
class VectorWrite:
    """Count the rows of a write; `version` is the table's newest version afterwards, 0 if there is no table."""

    version: int
    upserted: int
    deleted: int


class _Pinned(NamedTuple):
    """Hold an open version of a table: a handle for reading, one for searching, the vectors' dimension and the row count."""

    table: Any
    searched: Any
    dim: int
    rows: int


class VectorStore:
    """Keep product vectors, one row per product and locale, in tables shared by the models with the same product side.

    Columns: `key` (`locale:product_id`), `product_id`, `locale`, `title`, `vector` (float32), `input_hash`.
    """

    def __init__(self, root: Path) -> None:
        self._directory = LanceDirectory(root)
        self._pinned: KeptVersions[tuple[str, int], _Pinned] = KeptVersions(_PINNED_TABLES)
        self._in_memory: KeptVersions[tuple[str, int], ExactSearch] = KeptVersions(_IN_MEMORY)

    def current(self, name: str, keys: pl.DataFrame | None = None, *, version: int | None = None) -> pl.DataFrame:
        """Return `key` and `input_hash` of a version's rows (default: the newest), or of the rows with `keys`.

        Reconciliation compares these. The frame is empty if there is no table.
        """
        table = self._directory.open(name) if version is None else self._at(name, version)
        if table is None or (keys is not None and keys.is_empty()):
            return pl.DataFrame(schema={KEY: pl.String, "input_hash": pl.String})
        rows = pl.DataFrame(scan(table, [KEY, "input_hash"], among=None if keys is None else keys[KEY].to_list()))
        return rows if keys is None else rows.join(keys, on=KEY, how="semi")

    def apply(
        self, name: str, upserts: Iterable[Rows], deletes: Sequence[str], dim: int, *, commit_rows: int = 65_536
    ) -> VectorWrite:
        """Delete rows by key, then upsert rows by key; write no version if nothing changes.

        The last row of a repeated key wins. A key both deleted and upserted is present afterwards. Commits every
        `commit_rows` rows; another reconciliation completes a killed run.

        Args:
            name: The table name, as from `table_name` or a release.
            upserts: Batches with the columns of the table, in any order, the vectors as lists of `dim` numbers.
            deletes: Keys to delete; unknown ones are ignored.
            dim: Length of a vector.
            commit_rows: Rows between two commits; bounds the memory.

        Raises:
            WarehouseError: A column is missing or has another type or dimension, or a vector is not finite.
        """
        schema = _schema(dim)
        deleted = upserted = 0
        table = self._directory.open(name)
        if table is not None:
            check_schema(table, schema)
            deleted = delete_keys(table, deletes)
        for rows in _commits(upserts, schema, commit_rows):
            if table is None:
                table = self._directory.create(name, schema)
            upserted += merge(table, rows)
        return VectorWrite(int(table.version) if table is not None else 0, upserted, deleted)

    def differing(self, name: str, pieces: Iterable[Rows]) -> Iterator[pa.Table]:
        """Yield the rows of each batch, with the columns of the table, that are not bitwise equal in the newest version."""
        table = self._directory.open(name)
        stored_digests: dict[str, bytes] = {}
        for batch in () if table is None else scan_batches(table, COLUMNS, 32_768):
            stored_digests.update(_digests(pa.table(batch)))
        for piece in pieces:
            rows = (piece.to_arrow() if isinstance(piece, pl.DataFrame) else pa.table(piece)).select(COLUMNS)
            yield rows.filter(
                pa.array([stored_digests.get(key) != digest for key, digest in _digests(rows)], pa.bool_())
            )

    def refresh_index(
        self,
        name: str,
        *,
        index_above: int = INDEX_ABOVE,
        most_files: int = MOST_FILES,
        unindexed_share: float = 0.0,
    ) -> int:
        """Bring the vector index up to date and return the table's newest version, a new one only if needed.

        Searches of other versions and writers of rows go on meanwhile.

        Args:
            name: The table name, as from `table_name` or a release.
            index_above: Row count from which on there is an approximate index; below, search is exact.
            most_files: File count above which files are joined.
            unindexed_share: Share of rows, 0 to 1, that may stay outside the index, if they are few.
        """
        table = self._open(name)
        refresh_index(table, index_above=index_above, most_files=most_files, unindexed_share=unindexed_share)
        return self.version(name)

    def index_status(self, name: str, version: int | None = None) -> IndexStatus:
        """Return the row count and the index coverage of a version (default: the newest)."""
        return index_status(self._at(name, version))

    def sample(self, name: str, rows: int, seed: int) -> pa.Table:
        """Return a sample of whole rows of the newest version: half of them the latest written, the others drawn by `seed`."""
        table = self._open(name)
        offsets = sampled_offsets(int(table.count_rows()), rows, seed)
        if not offsets:
            return scan(table, COLUMNS)
        return table.take_offsets(offsets).select(list(COLUMNS)).to_arrow()

    def part(self, name: str, rows: int, seed: int, *, stretches: int = 10) -> pa.Table:
        """Return key and vector of about `rows` rows of the newest version, in ranges drawn by `seed`; of few rows all."""
        table = self._open(name)
        count, length = int(table.count_rows()), max(1, rows // stretches)
        if count <= rows:
            return scan(table, [KEY, "vector"])
        starts = random.Random(seed).sample(range(count // length), stretches)
        query = table.search().select([KEY, "vector"])
        return pa.concat_tables(query.offset(start * length).limit(length).to_arrow() for start in sorted(starts))

    def present_keys(self, name: str, keys: Sequence[str]) -> list[str]:
        """Return the keys that have a row in the newest version, sorted."""
        return present_keys(self._open(name), keys)

    def search(
        self,
        name: str,
        version: int,
        vector: npt.NDArray[np.float32],
        k: int,
        locale: str | None = None,
        *,
        exact: bool = False,
        nprobes: int | None = None,
        refine_factor: int | None = None,
    ) -> pl.DataFrame:
        """Return the k nearest products of one version: rank (from 1), key, product_id, locale, title, score.

        The score is the cosine, descending. Ties are ordered by product id, then key, also at the end of the list.

        Args:
            name: The table name, as from `table_name` or a release.
            version: The table's version, as a release names it.
            vector: The query's vector (dim,), not zero.
            k: Number of result rows, at least 1.
            locale: Only products of this locale.
            exact: Compare with every vector, even if there is an index.
            nprobes: Index partitions to search, a count; default: by table size.
            refine_factor: Candidates per result row that are compared by true vectors, a count; default: 8, fewer for many rows.
        """
        pinned, query = self._pin(name, version), np.asarray(vector, np.float32)
        table, dim, rows = pinned.searched, pinned.dim, pinned.rows
        if query.shape != (dim,):
            raise WarehouseError(
                f"the query's vector has shape {query.shape}, but the table {name} holds {dim} dimensions",
                "encode the query with the model that the release names",
            )
        in_memory = self._in_memory.get((name, version))
        if in_memory is not None:
            return _ranked(in_memory.nearest(_unit(query), k, locale), k)
        limit = k + 1
        refine_factor = refine_factor or max(2, min(_REFINED // k, _REFINE_FACTOR))
        while True:
            builder = table.query().nearest_to(query).distance_type("cosine").limit(limit)
            builder = builder.nprobes(nprobes or probes(rows)).refine_factor(refine_factor)
            if locale is not None:
                from lancedb.expr import col, lit

                builder = builder.where(col("locale") == lit(locale))
            if exact:
                builder = builder.bypass_vector_index()
            hits = run_coroutine(builder.select([KEY, "product_id", "locale", "title", "_distance"]).to_arrow())
            distances = np.sort(hits["_distance"].to_numpy())
            # The order of the rows that tie with the k-th is known only once all of them are among the hits.
            if len(distances) < limit or distances[-1] > distances[k - 1]:
                return _ranked(hits, k)
            limit, refine_factor = limit * 16, max(2, refine_factor // 4)  # more candidates, though fewer per row

    def open(self, name: str, version: int) -> ExactSearch | None:
        """Read a version without an index into memory, from which searches of it then answer; None if it is large."""
        key, pinned = (name, version), self._pin(name, version)
        in_memory = self._in_memory.get(key)
        if in_memory is not None or pinned.rows > INDEX_ABOVE or index_status(pinned.table).indexed:
            return in_memory

        def read() -> ExactSearch:
            batches = scan_batches(pinned.table, exact_search.COLUMNS, _READ_ROWS)
            return ExactSearch(batches, pinned.rows, pinned.dim)

        return self._in_memory.of(key, read)

    def search_among(
        self, name: str, version: int, vector: npt.NDArray[np.float32], k: int, keys: Collection[str]
    ) -> pl.DataFrame:
        """Return the `k` nearest of some products, like `search`: exactly if they are few, else by a search that widens."""
        total, in_memory = self.count(name, version), self._in_memory.get((name, version))
        if in_memory is not None:
            return _ranked(in_memory.nearest_among(_unit(vector), k, keys), k)
        if len(keys) <= _FEW_KEYS:
            rows = self._rows(name, version, list(keys), [KEY, "product_id", "locale", "title", "vector"])
            distances = 1.0 - (to_matrix(rows["vector"]) @ np.asarray(vector, np.float32)).astype(np.float64)
            return _ranked(rows.drop(["vector"]).append_column("_distance", pa.array(distances)), k)
        limit, wanted = k, set(keys)
        while True:
            limit = min(limit * 4, total)
            nearest = self.search(name, version, vector, limit)
            hits = nearest.filter(pl.col(KEY).is_in(wanted))
            if hits.height >= k or limit >= total:
                return hits.head(k).with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))

    def vector(self, name: str, version: int, key: str) -> npt.NDArray[np.float32] | None:
        """Return the vector of one product (dim,), or None if the table has none."""
        in_memory = self._in_memory.get((name, version))
        if in_memory is not None:
            return in_memory.vector(key)
        rows = self._rows(name, version, [key], [KEY, "vector"])
        return to_matrix(rows["vector"])[0] if rows.num_rows else None

    def cosines(
        self, name: str, version: int, vector: npt.NDArray[np.float32], keys: Sequence[str]
    ) -> dict[str, float]:
        """Return the cosine of a query's vector (dim,) and the vector of each of a few products, by key."""
        if not keys:
            return {}
        in_memory = self._in_memory.get((name, version))
        if in_memory is not None:
            return in_memory.cosines(_unit(vector), keys)
        rows = self._rows(name, version, keys, [KEY, "vector"])
        cosines = to_matrix(rows["vector"]) @ np.asarray(vector, np.float32)
        return dict(zip(rows[KEY].to_pylist(), cosines.tolist(), strict=True))

    def read(self, name: str, version: int | None = None, columns: Sequence[str] = COLUMNS) -> pa.Table:
        """Read columns of every row of a version (default: the newest), in no particular order."""
        return scan(self._at(name, version), columns)

    def schema(self, name: str, version: int | None = None) -> pa.Schema:
        """Return the columns of a version (default: the newest)."""
        return self._at(name, version).schema

    def count(self, name: str, version: int | None = None) -> int:
        """Return the number of rows of a version (default: the newest)."""
        return int(self._at(name, version).count_rows())

    def has_same_rows(self, name: str, one: int, other: int) -> bool:
        """Tell whether two versions exist and have the same keys with the same input hashes."""
        if one == other:
            return True
        pinned = [self._pin(name, version).table for version in (one, other) if self.has(name, version)]
        return len(pinned) == 2 and has_same_rows(*pinned)

    def has(self, name: str, version: int) -> bool:
        """Tell whether a version of a table exists."""
        try:
            self._pin(name, version)
        except WarehouseError:
            return False
        return True

    def version(self, name: str) -> int:
        """Return the table's newest version; 0 if there is no table."""
        table = self._directory.open(name)
        return 0 if table is None else int(table.version)

    @property
    def root(self) -> Path:
        """Return the directory of the tables."""
        return self._directory.root

    def names(self) -> list[str]:
        """Return the names of all vector tables."""
        return self._directory.names(table_name(""))

    def written_at(self, name: str) -> datetime:
        """Return when the newest version of a table was written, UTC."""
        return max(versions(self._open(name)).values())

    def drop(self, name: str) -> None:
        """Remove a table with all its versions."""
        self._pinned.forget(lambda key: key[0] == name)
        self._in_memory.forget(lambda key: key[0] == name)
        self._directory.drop(name)

    def prunable(self, name: str, keep: Collection[int], before: datetime) -> int:
        """Return the number of versions that `prune` would remove."""
        return len(prunable(versions(self._open(name)), keep, before))

    def prune(self, name: str, keep: Collection[int], before: datetime) -> int:
        """Remove the versions older than both the oldest to keep and a time; return their number.

        A compacted version may be added, with the same rows and a whole index.
        """
        table = self._open(name)
        for tag, reference in table.tags.list().items():
            if reference["version"] not in keep:
                table.tags.delete(tag)
        return prune(table, keep, before)

    def _open(self, name: str) -> Any:
        table = self._directory.open(name)
        if table is None:
            raise WarehouseError(f"the vector table {name} does not exist", "create the table with: stockroom build")
        return table

    def _rows(self, name: str, version: int, keys: Sequence[str], columns: Sequence[str]) -> pa.Table:
        from lancedb.expr import col, lit

        builder = self._pin(name, version).searched.query().where(col(KEY).isin([lit(key) for key in keys]))
        return run_coroutine(builder.select(list(columns)).limit(len(keys)).to_arrow())

    def _at(self, name: str, version: int | None) -> Any:
        return self._open(name) if version is None else self._pin(name, version).table

    def _pin(self, name: str, version: int) -> _Pinned:
        def pin() -> _Pinned:
            table = at_version(self._open(name), version)
            searched = self._directory.open_version(name, version)
            dim = table.schema.field("vector").type.list_size
            return _Pinned(table, searched, dim, int(table.count_rows()))

        return self._pinned.of((name, version), pin)


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        [
            key_field(KEY, pa.string()),
            pa.field("product_id", pa.string(), nullable=False),
            pa.field("locale", pa.string(), nullable=False),
            pa.field("title", pa.string()),
            pa.field("vector", vector_type(dim), nullable=False),
            pa.field("input_hash", pa.string(), nullable=False),
        ]
    )


def _digests(rows: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Yield the key and a hash of the exact content of each row, in the order of the rows."""
    texts = zip(*(rows[name].to_pylist() for name in COLUMNS if name != "vector"), strict=True)
    for text, vector in zip(texts, to_matrix(rows["vector"]), strict=True):
        yield text[0], hashlib.blake2b(repr(text).encode() + vector.tobytes(), digest_size=16).digest()


def _commits(pieces: Iterable[Rows], schema: pa.Schema, commit_rows: int) -> Iterator[pa.Table]:
    """Regroup the batches into tables of `commit_rows` rows, each with unique keys."""
    waiting: list[pa.Table] = []
    for piece in pieces:
        waiting.append(_conform(piece, schema))
        while sum(table.num_rows for table in waiting) >= commit_rows:
            joined = pa.concat_tables(waiting)
            yield _unique(joined.slice(0, commit_rows))
            waiting = [joined.slice(commit_rows)]
    if any(table.num_rows for table in waiting):
        yield _unique(pa.concat_tables(waiting))


def _conform(piece: Rows, schema: pa.Schema) -> pa.Table:
    try:
        table = piece.to_arrow() if isinstance(piece, pl.DataFrame) else pa.table(piece)
        rows = table.select(schema.names).cast(schema)
        if not np.isfinite(to_matrix(rows["vector"])).all():
            raise ValueError("a vector is not finite")
    except (KeyError, ValueError) as error:
        raise WarehouseError(
            f"rows cannot be written to a vector table: {error}",
            f"give the columns {', '.join(schema.names)}, with vectors of {schema.field('vector').type.list_size} finite numbers",
        ) from error
    return rows


def _unique(rows: pa.Table) -> pa.Table:
    keys = pl.DataFrame(rows.select([KEY])).with_row_index("row")
    last = keys.unique(KEY, keep="last", maintain_order=True)["row"]
    return rows if len(last) == rows.num_rows else rows.take(last.to_arrow())


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a vector of length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _ranked(hits: pa.Table, k: int) -> pl.DataFrame:
    # As lists: ranking so few rows takes less time than a Polars query plan.
    columns = (hits[name].to_pylist() for name in ("_distance", "product_id", KEY, "locale", "title"))
    best = sorted(zip(*columns, strict=True), key=lambda row: (-(1.0 - row[0]), row[1], row[2]))[:k]
    rows = [
        (rank, key, product_id, locale, title, 1.0 - distance)
        for rank, (distance, product_id, key, locale, title) in enumerate(best, 1)
    ]
    return pl.DataFrame(rows, schema=_RANKED, orient="row")
