"""Lance tables: open, create, merge and delete by key, the same way for vectors, embeddings and releases.

Two facts of lancedb 0.40, both under test, shape this file:

- A merge keeps two writers from inserting one key twice only if the key is non-null, declared as the primary key, and
  the merge does not go through a scalar index on it. So no table has a BTREE on its key, and every merge says
  `use_index(False)`; scanning a million keys costs 0.3 s.
- `delete` writes a new version even when no row matches. So look before deleting.
"""

import functools
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel

from warehouse.errors import WarehouseError
from warehouse.paths import plain_path

T = TypeVar("T")

KEY = "key"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DELETE_KEYS = 10_000  # keys in one filter
# Lance counts ages from a moment later than ours. A version that would be too old by then is tagged, and Lance refuses.
_MARGINS = (timedelta(seconds=0.2), timedelta(seconds=5), timedelta(seconds=60))

KEEP_ALL_VERSIONS = timedelta(days=36_500)
"""An age that no version has: with it, joining files and refreshing an index removes nothing."""


def key_field(name: str, kind: pa.DataType) -> pa.Field:
    """Return the first field of a table with a key: never null, and the primary key from version 1 on."""
    return pa.field(name, kind, nullable=False, metadata={"lance-schema:unenforced-primary-key:position": "1"})


class LanceDirectory:
    """Hold one directory of Lance tables. Nothing in it names the directory: it can be copied and moved."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._connection: Any = None
        self._short: Any = None

    def open(self, name: str) -> Any | None:
        """Open the newest version of a table, or return None where there is no such table. Creates nothing."""
        if not _has_version(self.root / f"{check_name(name)}.lance"):
            return None
        return self._connect().open_table(name)

    def open_version(self, name: str, version: int) -> Any:
        """Open a version of a table that is there, for many short questions: coroutines, each to be run by `answer`.

        The tables of `open` run several one after another for one question, which takes a quarter of a search's time.
        """
        if self._short is None:
            self._short = answer(_lancedb().connect_async(plain_path(self.root)))
        table = answer(self._short.open_table(check_name(name)))
        answer(table.checkout(version))
        return table

    def create(self, name: str, schema: pa.Schema) -> Any:
        """Create a table, or open the one that another run has created already.

        Raises:
            WarehouseError: The table is there with other columns or another dimension.
        """
        table = self.open(name)
        if table is None:
            self.root.mkdir(parents=True, exist_ok=True)
            table = self._connect().create_table(name, schema=schema, exist_ok=True)
        check_schema(table, schema)
        return table

    def names(self, prefix: str) -> list[str]:
        """Return the names of the tables that begin so, sorted."""
        return sorted(path.stem for path in self.root.glob(f"{prefix}*.lance") if _has_version(path))

    def drop(self, name: str) -> None:
        """Remove a table at once, and what killed removals left."""
        trash = self.root / f".dropped-{check_name(name)}"
        shutil.rmtree(trash, ignore_errors=True)
        (self.root / f"{name}.lance").rename(trash)
        for leftover in self.root.glob(".dropped-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _connect(self) -> Any:
        if self._connection is None:
            self._connection = _lancedb().connect(plain_path(self.root))
        return self._connection


@functools.cache
def _lancedb() -> Any:
    """Import LanceDB without what takes two thirds of its import, and is not for tables in a directory.

    That is the client of a remote catalog: of its package only the types that LanceDB reads are imported, each built when
    it is first used; once they are, the package is as good as new. And checks that LanceDB's methods override others, which it
    has itself given up from Python 3.12 on.
    """
    client = "lance_namespace_urllib3_client"
    spec = None if {client, "lancedb"} & sys.modules.keys() else importlib.util.find_spec(client)
    absent = {} if spec is None else {client: importlib.util.module_from_spec(spec)}
    if sys.version_info < (3, 12) and "overrides" not in sys.modules:
        absent["overrides"] = ModuleType("overrides")
        absent["overrides"].__dict__.update(override=lambda method: method, EnforceOverrides=object)
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of what is as it should be, on people's terminals
    config = BaseModel.model_config
    sys.modules.update(absent)
    try:
        BaseModel.model_config = {**config, "defer_build": True}
        import lancedb
    finally:
        BaseModel.model_config = config
        for name in absent:
            del sys.modules[name]
    return lancedb


def _has_version(directory: Path) -> bool:
    """Tell whether a table's first version was written: a process may end between its directory and its manifest."""
    return any(directory.glob("_versions/*.manifest"))


def answer(question: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of LanceDB in the loop that its blocking tables use, and wait for what it gives."""
    from lancedb.background_loop import LOOP

    return cast(T, LOOP.run(question))


def check_name(name: str) -> str:
    """Return a table name as it is, or refuse one that could not be a directory's name everywhere."""
    if not _NAME.fullmatch(name):
        raise WarehouseError(
            f"{name!r} cannot name a table", "use letters, digits, '_', '-' and '.', and start with a letter or digit"
        )
    return name


def check_schema(table: Any, schema: pa.Schema) -> None:
    """Refuse a table with other columns or another dimension than is about to be written."""
    if table.schema.names != schema.names or table.schema.types != schema.types:
        raise WarehouseError(
            f"the table {table.name} has other columns than this run writes: "
            f"{_describe(table.schema)}, not {_describe(schema)}",
            "give the model or the encoder a new name, or remove the table's directory and build again",
        )


def at_version(table: Any, version: int) -> Any:
    """Pin an opened table to one of its versions; it stays there whatever is written meanwhile."""
    try:
        table.checkout(version)
    except ValueError as error:
        raise WarehouseError(
            f"version {version} of the table {table.name} is not there",
            "it was cleaned up or never written; publish the one that is there: stockroom build",
        ) from error
    return table


def merge(table: Any, rows: pa.Table, *, on: str = KEY, update: bool = True) -> int:
    """Write rows whose keys are unique, in one version. Return how many were inserted or updated.

    Args:
        table: The table to write, opened with its newest version.
        rows: Rows of the table's schema; the key column may not be nullable.
        on: The key column.
        update: Whether a row that is there already is replaced; otherwise it is left alone.
    """
    builder = table.merge_insert(on).use_index(False).when_not_matched_insert_all()
    if update:
        builder = builder.when_matched_update_all()
    result = builder.execute(rows)
    return int(result.num_inserted_rows + result.num_updated_rows)


def delete_keys(table: Any, keys: Sequence[str]) -> int:
    """Delete the rows with these keys, and return how many there were. Writes no version when there are none."""
    from lancedb.expr import col, lit

    unique_keys = list(dict.fromkeys(keys))
    deleted = 0
    for start in range(0, len(unique_keys), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in unique_keys[start : start + _DELETE_KEYS]])
        if table.search().where(among).select([KEY]).limit(1).to_arrow().num_rows:
            deleted += int(table.delete(among).num_deleted_rows)
    return deleted


def present_keys(table: Any, keys: Sequence[str]) -> list[str]:
    """Return those of the keys that the table has a row of, sorted."""
    from lancedb.expr import col, lit

    present: set[str] = set()
    unique_keys = list(dict.fromkeys(keys))
    for start in range(0, len(unique_keys), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in unique_keys[start : start + _DELETE_KEYS]])
        present |= set(table.search().where(among).select([KEY]).limit(None).to_arrow()[KEY].to_pylist())
    return sorted(present)


def versions(table: Any) -> dict[int, datetime]:
    """Return the versions of a table that are there, oldest first, and when each was written."""
    return {int(each["version"]): each["timestamp"].astimezone(UTC) for each in table.list_versions()}


def prune(table: Any, keep: Collection[int], before: datetime) -> int:
    """Remove the versions older than the oldest to keep and than a time, with the files that only they need.

    Lance has one call for this and for joining files, so that a new version may come of it, with the same rows. The newest
    version always stays. Where nothing can go, nothing is written.

    Args:
        table: The table, opened with its newest version.
        keep: Versions that must stay; tagged ones are among them.
        before: Versions written later than this stay.

    Returns:
        How many versions went.
    """
    timestamps = versions(table)
    if not prunable(timestamps, keep, before):
        return 0
    table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)  # joins files, which may take long: ages are counted after it
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
    """Return the versions that `prune` would remove of those that are there."""
    bound = _bound(timestamps, keep, before) - _MARGINS[0]
    return [version for version, moment in timestamps.items() if moment < bound]


def _bound(timestamps: Mapping[int, datetime], keep: Collection[int], before: datetime) -> datetime:
    newest = max(timestamps)
    return min([before, *(moment for version, moment in timestamps.items() if version in keep or version == newest)])


def scan(table: Any, columns: Sequence[str], *, row_id: bool = False, among: Sequence[str] | None = None) -> pa.Table:
    """Read columns of every row, in no particular order; of many, those of few keys `among` them alone.

    `row_id` adds Lance's own address as `_rowid`.
    """
    query = table.search()
    # A key in the filter costs as much as a thousand rows that are handed over.
    if among is not None and len(among) * 1000 <= table.count_rows():
        from lancedb.expr import col, lit

        query = query.where(col(KEY).isin([lit(key) for key in among]))
    return query.select(list(columns)).with_row_id(row_id).limit(None).to_arrow()


def scan_batches(table: Any, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Read columns of every row, at most `batch_rows` rows at a time, in no particular order."""
    yield from table.search().select(list(columns)).limit(None).to_batches(batch_rows)


def vector_type(dim: int) -> pa.DataType:
    """Return the type of a vector column: `dim` float32 values a row."""
    return pa.list_(pa.float32(), dim)


def to_matrix(column: pa.ChunkedArray | pa.FixedSizeListArray) -> npt.NDArray[np.float32]:
    """Return a vector column as a matrix (rows, dim), without a copy where it lies in one piece."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = array.flatten().to_numpy(zero_copy_only=False)
    return cast(npt.NDArray[np.float32], flat.reshape(len(array), array.type.list_size))


def to_vectors(matrix: npt.NDArray[np.floating[Any]]) -> pa.FixedSizeListArray:
    """Return a matrix (rows, dim) as a vector column."""
    flat = np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), matrix.shape[1])


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
