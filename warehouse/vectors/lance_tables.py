"""Lance tables: open, create, merge and delete by key, the same way for vectors, embeddings and releases.

Two properties of lancedb 0.40, both under test, shape this file:

- A merge keeps two writers from inserting one key twice only if the key is non-null, declared as the primary key, and
  the merge does not go through a scalar index on it. So every merge says `use_index(False)`, whether the table has a BTREE on
  its key for lookups or not; scanning a million keys costs 0.3 s.
- `delete` writes a new version even when no row matches. So look before deleting.
"""

import os
import random
import re
import shutil
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from warehouse.errors import WarehouseError
from warehouse.paths import plain_path

T = TypeVar("T")

KEY = "key"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DELETE_KEYS = 10_000  # keys in one filter
# Lance computes ages at a later moment than this module, so a tagged version may become too old, and Lance then refuses.
_MARGINS = (timedelta(seconds=0.2), timedelta(seconds=5), timedelta(seconds=60))

KEEP_ALL_VERSIONS = timedelta(days=36_500)
"""An age that no version has, so that compaction and index refreshes remove no version."""


def key_field(name: str, kind: pa.DataType) -> pa.Field:
    """Return the key field of a table's schema: not nullable, and declared as the primary key."""
    return pa.field(name, kind, nullable=False, metadata={"lance-schema:unenforced-primary-key:position": "1"})


class LanceDirectory:
    """Manage one directory of Lance tables. No file in it names the directory, so that it can be copied and moved."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._connection: Any = None
        self._short: Any = None

    def open(self, name: str) -> Any | None:
        """Open the newest version of a table, or return None if the table does not exist. Creates nothing."""
        if not _has_version(self.root / f"{check_name(name)}.lance"):
            return None
        return self._connect().open_table(name)

    def open_version(self, name: str, version: int) -> Any:
        """Open a version of an existing table for many short queries: coroutines, each to be run by `run_coroutine`.

        A table from `open` runs several coroutines in sequence per query, which takes a quarter of a search's time.
        """
        if self._short is None:
            self._short = run_coroutine(_lancedb().connect_async(plain_path(self.root)))
        table = run_coroutine(self._short.open_table(check_name(name)))
        run_coroutine(table.checkout(version))
        return table

    def create(self, name: str, schema: pa.Schema) -> Any:
        """Create a table, or open the existing one.

        Raises:
            WarehouseError: The existing table has other columns or another dimension.
        """
        table = self.open(name)
        if table is None:
            self.root.mkdir(parents=True, exist_ok=True)
            table = self._connect().create_table(name, schema=schema, exist_ok=True)
        check_schema(table, schema)
        return table

    def names(self, prefix: str) -> list[str]:
        """Return the table names with a prefix, sorted."""
        return sorted(path.stem for path in self.root.glob(f"{prefix}*.lance") if _has_version(path))

    def drop(self, name: str) -> None:
        """Remove a table atomically, along with the remains of killed removals."""
        trash = self.root / f".dropped-{check_name(name)}"
        shutil.rmtree(trash, ignore_errors=True)
        (self.root / f"{name}.lance").rename(trash)
        for leftover in self.root.glob(".dropped-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _connect(self) -> Any:
        if self._connection is None:
            self._connection = _lancedb().connect(plain_path(self.root))
        return self._connection


def _lancedb() -> Any:
    os.environ.setdefault("LANCEDB_LOG", "error")  # else it prints irrelevant warnings to the terminal
    import lancedb

    return lancedb


def _has_version(directory: Path) -> bool:
    """Tell whether a table's first version is complete: a killed process may leave a directory without a manifest."""
    return any(directory.glob("_versions/*.manifest"))


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of LanceDB in the event loop of its blocking tables, and return its result."""
    from lancedb.background_loop import LOOP

    return cast(T, LOOP.run(coroutine))


def check_name(name: str) -> str:
    """Return a table name unchanged, or refuse one that is not a portable directory name."""
    if not _NAME.fullmatch(name):
        raise WarehouseError(
            f"{name!r} is not a valid table name",
            "use letters, digits, '_', '-' and '.', and start with a letter or digit",
        )
    return name


def check_schema(table: Any, schema: pa.Schema) -> None:
    """Refuse a table whose columns or vector dimension differ from the schema to be written."""
    if table.schema.names != schema.names or table.schema.types != schema.types:
        raise WarehouseError(
            f"the columns of the table {table.name} are not those that this run writes: "
            f"{_describe(table.schema)}, not {_describe(schema)}",
            "give the model or the encoder a new name, or remove the table's directory and build again",
        )


def index_columns(table: Any) -> None:
    """Create the indexes by which rows are looked up by key, and searched by locale."""
    from lancedb.index import Bitmap, BTree

    table.create_index(KEY, config=BTree())
    table.create_index("locale", config=Bitmap())


def at_version(table: Any, version: int) -> Any:
    """Pin an open table to one of its versions, unaffected by later writes."""
    try:
        table.checkout(version)
    except ValueError as error:
        raise WarehouseError(
            f"version {version} of the table {table.name} does not exist",
            "stockroom vacuum deleted the version, or no run wrote it; publish the current version with: stockroom build",
        ) from error
    return table


def merge(table: Any, rows: pa.Table, *, on: str = KEY, update: bool = True) -> int:
    """Write rows with unique keys as one version, and return the number of inserted and updated rows.

    Args:
        table: The table to write, opened at its newest version.
        rows: Rows of the table's schema; the key column may not be nullable.
        on: The key column.
        update: Whether an existing row is replaced; otherwise it is left unchanged.
    """
    builder = table.merge_insert(on).use_index(False).when_not_matched_insert_all()
    if update:
        builder = builder.when_matched_update_all()
    result = builder.execute(rows)
    return int(result.num_inserted_rows + result.num_updated_rows)


def delete_keys(table: Any, keys: Sequence[str]) -> int:
    """Delete the rows with these keys, and return their number. Writes no version if there are none."""
    from lancedb.expr import col, lit

    unique_keys = list(dict.fromkeys(keys))
    deleted = 0
    for start in range(0, len(unique_keys), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in unique_keys[start : start + _DELETE_KEYS]])
        if table.search().where(among).select([KEY]).limit(1).to_arrow().num_rows:
            deleted += int(table.delete(among).num_deleted_rows)
    return deleted


def present_keys(table: Any, keys: Sequence[str]) -> list[str]:
    """Return the keys that have a row in the table, sorted."""
    from lancedb.expr import col, lit

    present: set[str] = set()
    unique_keys = list(dict.fromkeys(keys))
    for start in range(0, len(unique_keys), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in unique_keys[start : start + _DELETE_KEYS]])
        present |= set(table.search().where(among).select([KEY]).limit(None).to_arrow()[KEY].to_pylist())
    return sorted(present)


def versions(table: Any) -> dict[int, datetime]:
    """Return the time of each existing version of a table (UTC), oldest first."""
    return {int(each["version"]): each["timestamp"].astimezone(UTC) for each in table.list_versions()}


def prune(table: Any, keep: Collection[int], before: datetime) -> int:
    """Remove the versions older than both the oldest to keep and a time, with the files that only they need.

    Lance has one call for cleanup and compaction, so a new version with the same rows may appear. The newest version always
    stays. If no version can be removed, nothing is written.

    Args:
        table: The table, opened at its newest version.
        keep: Versions that must stay, the tagged ones included.
        before: Versions written later than this stay.

    Returns:
        The number of removed versions.
    """
    timestamps = versions(table)
    if not prunable(timestamps, keep, before):
        return 0
    table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)  # compaction may take long, so ages are computed after it
    bound = _bound(timestamps, keep, before)
    for margin in _MARGINS:
        try:
            table.optimize(cleanup_older_than=max(datetime.now(UTC) - bound + margin, timedelta(milliseconds=1)))
            break
        except RuntimeError as error:
            if "tagged version" not in str(error) or margin == _MARGINS[-1]:
                raise
    return len(timestamps.keys() - versions(table).keys())


def prunable(timestamps: Mapping[int, datetime], keep: Collection[int], before: datetime) -> list[int]:
    """Return the versions that `prune` would remove, given the time of each version."""
    bound = _bound(timestamps, keep, before) - _MARGINS[0]
    return [version for version, moment in timestamps.items() if moment < bound]


def _bound(timestamps: Mapping[int, datetime], keep: Collection[int], before: datetime) -> datetime:
    newest = max(timestamps)
    return min([before, *(moment for version, moment in timestamps.items() if version in keep or version == newest)])


def sampled_offsets(count: int, rows: int, seed: int) -> list[int]:
    """Return the offsets of a sample of `rows` of `count` rows, ascending: half the latest written, others drawn by `seed`."""
    newest = rows // 2
    drawn = random.Random(seed).sample(range(count), min(rows - newest, count))
    return sorted({*drawn, *range(max(0, count - newest), count)})


def scan(table: Any, columns: Sequence[str], *, row_id: bool = False, among: Sequence[str] | None = None) -> pa.Table:
    """Read columns of every row, in no particular order; with few keys in `among`, possibly of their rows alone.

    `row_id` adds Lance's row address as `_rowid`.
    """
    query = table.search()
    # A key in the filter costs as much as the transfer of a thousand rows.
    if among is not None and len(among) * 1000 <= table.count_rows():
        from lancedb.expr import col, lit

        query = query.where(col(KEY).isin([lit(key) for key in among]))
    return query.select(list(columns)).with_row_id(row_id).limit(None).to_arrow()


def has_same_rows(one: Any, other: Any) -> bool:
    """Tell whether two versions of a table have the same keys with the same input hashes: only files or indexes differ then."""
    columns = [KEY, "input_hash"]
    frames = [pl.DataFrame(scan(table, columns)) for table in (one, other)]
    return frames[0].height == frames[1].height and frames[0].join(frames[1], on=columns, how="anti").is_empty()


def scan_batches(table: Any, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Read columns of every row, at most `batch_rows` rows at a time, in no particular order."""
    yield from table.search().select(list(columns)).limit(None).to_batches(batch_rows)


def vector_type(dim: int) -> pa.DataType:
    """Return the type of a vector column: `dim` float32 values a row."""
    return pa.list_(pa.float32(), dim)


def to_matrix(column: pa.ChunkedArray | pa.FixedSizeListArray) -> npt.NDArray[np.float32]:
    """Return a vector column as a matrix (rows, dim), without a copy if it has a single chunk."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = array.flatten().to_numpy(zero_copy_only=False)
    return cast(npt.NDArray[np.float32], flat.reshape(len(array), array.type.list_size))


def to_vectors(matrix: npt.NDArray[np.floating[Any]]) -> pa.FixedSizeListArray:
    """Return a matrix (rows, dim) as a vector column."""
    flat = np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), matrix.shape[1])


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
