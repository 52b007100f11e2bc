"""Lance tables: open, create, merge and delete by key, the same way for vectors, embeddings and releases.

Two facts of lancedb 0.40, both under test, shape this file:

- A merge keeps two writers from inserting one key twice only if the key is non-null, declared as the primary key, and
  the merge does not go through a scalar index on it. So no table has a BTREE on its key, and every merge says
  `use_index(False)`; scanning a million keys costs 0.3 s.
- `delete` writes a new version even when no row matches. So look before deleting.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warehouse.errors import WarehouseError

KEY = "key"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DELETE_KEYS = 10_000  # keys in one filter


def key_field(name: str, kind: pa.DataType) -> pa.Field:
    """Return the first field of a table with a key: never null, and the primary key from version 1 on."""
    return pa.field(name, kind, nullable=False, metadata={"lance-schema:unenforced-primary-key:position": "1"})


class LanceDirectory:
    """Hold one directory of Lance tables. Nothing in it names the directory: it can be copied and moved."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._connection: Any = None

    def open(self, name: str) -> Any | None:
        """Open the newest version of a table, or return None where there is no such table. Creates nothing."""
        check_name(name)
        if not self.root.is_dir() or name not in self._connect():
            return None
        return self._connect().open_table(name)

    def create(self, name: str, schema: pa.Schema) -> Any:
        """Create a table, or open the one that another run has created already.

        Raises:
            WarehouseError: The table is there with other columns or another dimension.
        """
        table = self.open(name)
        if table is None:
            table = self._connect().create_table(name, schema=schema, exist_ok=True)
        check_schema(table, schema)
        return table

    def _connect(self) -> Any:
        if self._connection is None:
            import lancedb

            self._connection = lancedb.connect(self.root)
        return self._connection


def check_name(name: str) -> str:
    """Return a table name as it is, or refuse one that could not be a directory's name everywhere."""
    if not _NAME.fullmatch(name):
        raise WarehouseError(
            f"{name!r} cannot name a table.", "Use letters, digits, '_', '-' and '.', and start with a letter or digit."
        )
    return name


def check_schema(table: Any, schema: pa.Schema) -> None:
    """Refuse a table with other columns or another dimension than is about to be written."""
    if table.schema.names != schema.names or table.schema.types != schema.types:
        raise WarehouseError(
            f"The table {table.name} has other columns than this run writes: "
            f"{_describe(table.schema)}, not {_describe(schema)}.",
            "Give the model or the encoder a new name, or remove the table's directory and build again.",
        )


def at_version(table: Any, version: int) -> Any:
    """Pin an opened table to one of its versions; it stays there whatever is written meanwhile."""
    try:
        table.checkout(version)
    except ValueError as error:
        raise WarehouseError(
            f"Version {version} of the table {table.name} is not there.",
            "It was cleaned up or never written: publish a new release.",
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

    wanted = list(dict.fromkeys(keys))
    deleted = 0
    for start in range(0, len(wanted), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in wanted[start : start + _DELETE_KEYS]])
        if table.search().where(among).select([KEY]).limit(1).to_arrow().num_rows:
            deleted += int(table.delete(among).num_deleted_rows)
    return deleted


def held_keys(table: Any, keys: Sequence[str]) -> list[str]:
    """Return those of the keys that the table has a row of, sorted."""
    from lancedb.expr import col, lit

    found: set[str] = set()
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), _DELETE_KEYS):
        among = col(KEY).isin([lit(key) for key in wanted[start : start + _DELETE_KEYS]])
        found |= set(table.search().where(among).select([KEY]).limit(None).to_arrow()[KEY].to_pylist())
    return sorted(found)


def scan(table: Any, columns: Sequence[str], *, row_id: bool = False) -> pa.Table:
    """Read columns of every row, in no particular order; `row_id` adds Lance's own address as `_rowid`."""
    return table.search().select(list(columns)).with_row_id(row_id).limit(None).to_arrow()


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
