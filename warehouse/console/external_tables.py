"""External tables: Lance tables that SQL can join with the lake's tables, read only as far as a query needs them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from warehouse.errors import WarehouseError


@dataclass(frozen=True)
class OutsideTable:
    """Describe a table outside the lake that is read only if a query needs it.

    Attributes:
        description: The meaning of one row, for users.
        rows: Counts the rows.
        schema: Returns the columns and their types.
        load: Reads some columns of every row.
    """

    description: str
    rows: Callable[[], int]
    schema: Callable[[], pa.Schema]
    load: Callable[[Sequence[str]], pa.Table]


class LazyDataset(ds.Dataset):  # type: ignore[misc]
    """Present an external table to DuckDB as an Arrow dataset, with projection and filter."""

    def __init__(self, table: OutsideTable) -> None:
        self._table = table
        self._schema = table.schema()
        self.failure: WarehouseError | None = None  # DuckDB would turn it into an error of its own

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of the whole table."""
        return self._schema

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None, **_: object) -> ds.Scanner:
        """Load `columns` of the rows that match `filter`."""
        names = self._schema.names if columns is None else list(columns)
        try:
            loaded = self._table.load(names)
        except WarehouseError as error:
            self.failure = error
            raise
        return ds.dataset(loaded).scanner(columns=names, filter=filter)


def attach_outside(connection: duckdb.DuckDBPyConnection, name: str, table: OutsideTable) -> LazyDataset:
    """Register `table` with the connection as `name`, such as `vectors.products`, without loading it."""
    catalog, view = parts(name)
    dataset = LazyDataset(table)
    connection.register(f"{catalog}_{view}", dataset)
    connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {catalog}")
    connection.execute(f"CREATE VIEW {catalog}.main.{view} AS FROM temp.main.{catalog}_{view}")
    return dataset


def parts(name: str) -> tuple[str, str]:
    """Return the two parts of a table's name, in lower case."""
    catalog, view = name.lower().split(".")
    return catalog, view
