"""The doors of the lake: the files of an ESCI folder, recognised and checked before anything is written."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError, first_line
from warehouse.file_advice import advice
from warehouse.lake import connect

_PARQUET = "read_parquet($path, file_row_number = true)"
POINTER = b"version https://git-lfs"
PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class Door:
    """Say which file fills which raw table, and how a row's key is put together in SQL from the file's columns."""

    table: str
    file_name: str
    key_sql: str
    required: bool = True
    optional_columns: tuple[str, ...] = ()

    @property
    def contract(self) -> Contract:
        """Return the contract of the table behind the door."""
        return CONTRACTS[self.table]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that are read: those that the file must have, and the optional ones."""
        return tuple(name for name in self.contract.columns if name != self.contract.key)

    @property
    def hash_sql(self) -> str:
        """Return a row's hash in SQL: of the contract, its version bound as `$version`, and of all columns.

        Each value comes with its length in bytes, a missing one with -1, so that no two rows read alike.
        """
        texts = (f'"{name}"::VARCHAR' for name in self.columns)
        told = ", ".join(f"':', coalesce(strlen({text}), -1), ':', {text}" for text in texts)
        return f"md5(concat($version, {told}))"

    @property
    def source_sql(self) -> str:
        """Return the FROM clause that reads the file, its path bound as `$path`."""
        if self.file_name.endswith(".csv"):
            # nothing is guessed: with a guessed dialect DuckDB may take a ragged file for an empty one
            options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', skip = 0, null_padding = true"
            return f"(SELECT *, row_number() OVER () - 1 AS file_row_number FROM read_csv($path, {options}, parallel = false))"
        if self.optional_columns:  # a column that the file does not have is read as null
            kinds = (f"NULL::{self.contract.sql_type(name)} AS {name}" for name in self.optional_columns)
            return f"(SELECT {', '.join(kinds)} WHERE false UNION ALL BY NAME FROM {_PARQUET})"
        return _PARQUET

    @property
    def columns_sql(self) -> str:
        """Return the file's columns cast to the contract's types; what cannot be cast becomes null, so that a rule meets it."""
        return ", ".join(f'TRY_CAST("{name}" AS {self.contract.sql_type(name)}) AS "{name}"' for name in self.columns)


DOORS = (
    Door(
        "raw.products",
        "shopping_queries_dataset_products.parquet",
        "concat(product_locale, ':', product_id)",
    ),
    Door(
        "raw.judgements",
        "shopping_queries_dataset_examples.parquet",
        "concat(product_locale, ':', query_id, ':', product_id)",
        optional_columns=("event_time", "context_key"),
    ),
    Door(
        "raw.sources",
        "shopping_queries_dataset_sources.csv",
        "coalesce(TRY_CAST(query_id AS BIGINT)::VARCHAR, query_id, '')",
        required=False,
    ),
)


@dataclass(frozen=True)
class Arrival:
    """A checked file before a door, and the columns in it that the door's contract does not declare."""

    door: Door
    path: Path
    sha256: str
    size_bytes: int
    new_columns: tuple[str, ...] = ()

    @property
    def input_hash(self) -> str:
        """Return the hash of the bytes and of the contract that they are held against."""
        return f"{self.sha256}:{self.door.contract.version}"


def arrivals(folder: Path) -> list[Arrival]:
    """Return the checked files of an ESCI folder, in the order in which they are to be taken in.

    Raises:
        WarehouseError: As `check_folder`.
    """
    return [
        Arrival(door, path, sha256(path), path.stat().st_size, new_columns)
        for door, path, new_columns in check_folder(folder)
    ]


def check_folder(folder: Path) -> list[tuple[Door, Path, tuple[str, ...]]]:
    """Return the files of an ESCI folder with their doors and undeclared columns, once each is known to be readable.

    Raises:
        WarehouseError: The folder or a required file is missing, or a file is a git-lfs pointer, broken, or lacks a
            column or has one of another type.
    """
    if not folder.is_dir():
        raise WarehouseError(f"{folder} is not a folder", "give the folder with ESCI's parquet files: --raw DIR")
    found = []
    with connect(1.0) as connection:
        for door in DOORS:
            path = folder / door.file_name
            if path.is_file():
                found.append((door, path, _check(connection, path, door)))
            elif door.required:
                raise WarehouseError(f"{path} is missing", f"a raw folder holds {' and '.join(required_files())}")
    return found


def required_files() -> list[str]:
    """Return the names of the files without which a folder cannot be taken in."""
    return [door.file_name for door in DOORS if door.required]


def check(path: Path, door: Door) -> None:
    """Refuse a file that cannot be read as the door's table.

    Raises:
        WarehouseError: It names the file, the column where there is one, and the mend.
    """
    with connect(1.0) as connection:
        _check(connection, path, door)


def _check(connection: duckdb.DuckDBPyConnection, path: Path, door: Door) -> tuple[str, ...]:
    """Return the file's columns that the contract does not declare; the index that pandas leaves in a file is none."""
    refuse_pointer(path)
    try:
        source = door.source_sql if path.suffix == ".csv" else _PARQUET  # as it is, before optional columns are added
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}", {"path": str(path)}).fetchall()
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    present = {str(name): str(kind) for name, kind, *_ in described if name != "file_row_number"}
    for name in door.columns:
        if name not in present and name in door.optional_columns:
            continue
        if name not in present:
            raise WarehouseError(
                f"{path} has no column {name}",
                f"it has {', '.join(present)}; rename or add the column, then run again",
            )
        wanted = door.contract.sql_type(name)
        if not (path.suffix == ".csv" or fits(present[name], wanted) or is_all_null(connection, path, name)):
            raise WarehouseError(
                f"{path}: column {name} is {present[name]}, not {wanted}", f"cast it to {wanted}, then run again"
            )
    return tuple(name for name in present if name not in door.columns and not PANDAS_INDEX.fullmatch(name))


def refuse_pointer(path: Path) -> None:
    """Refuse what git-lfs leaves in the place of a file that was not fetched.

    Raises:
        WarehouseError: The file is such a pointer.
    """
    if is_pointer(path):
        raise WarehouseError(
            f"{path} is a git-lfs pointer, not the data",
            "fetch the data with: git lfs pull (in the clone it came from), or ESCI's own with: stockroom download",
        )


def is_pointer(path: Path) -> bool:
    """Tell whether a file is what git-lfs leaves in the place of one that was not fetched."""
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def unreadable(path: Path, error: Exception) -> WarehouseError:
    """Return the error for a file whose bytes are not what its name says."""
    reason = first_line(error).removeprefix("Invalid Input Error: ")
    return WarehouseError(f"{path} cannot be read: {reason}", advice(path))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fits(kind: str, wanted: str) -> bool:
    """Tell whether every value of a file's column can be one of the wanted type."""
    integers = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "BOOLEAN"}
    return (
        kind == wanted
        or (wanted.startswith("TIMESTAMP") and kind.startswith(("TIMESTAMP", "DATE")))
        or (wanted == "BIGINT" and kind in integers)
        or (wanted == "VARCHAR" and kind.startswith("ENUM"))
    )


def is_all_null(connection: duckdb.DuckDBPyConnection, path: Path, column: str) -> bool:
    """Tell whether a column holds nothing at all: its type then says nothing."""
    row = connection.execute(f'SELECT count("{column}") FROM read_parquet(?)', [str(path)]).fetchone()
    return row is not None and row[0] == 0
