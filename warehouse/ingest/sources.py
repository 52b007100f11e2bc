"""The sources of the lake: the files of an ESCI folder, recognized and checked before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.contracts.contract import Contract
from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE, SOURCES_FILE
from warehouse.contracts.locales import normalized_locale_sql
from warehouse.contracts.registry import CONTRACTS
from warehouse.conversion.products import PRODUCT_COLUMNS
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.paths import plain_path
from warehouse.readers.file_advice import is_in_other_form, no_file
from warehouse.readers.file_bytes import refuse_bytes, refuse_encoding, refuse_other_format
from warehouse.readers.file_columns import (
    PANDAS_INDEX,
    csv_header,
    parquet_columns,
    refuse_ambiguous_columns,
    refuse_type,
    unreadable,
)
from warehouse.readers.file_hash import sha256

_PARQUET = "read_parquet($path, file_row_number = true)"
SEARCH_RULES = "search_rules.csv"
"""The name of the file of search rules."""


@dataclass(frozen=True)
class SourceSpec:
    """Map a file to its raw table, with the SQL of a row's key over the file's columns."""

    table: str
    file_name: str
    key_sql: str
    required: bool = True
    optional_columns: tuple[str, ...] = ()
    has_lines: bool = False  # whether `line` is the number of a row's line in the file; blank rows are left out
    is_kept: bool = False  # whether the table stays as it is where a folder lacks the file

    @property
    def contract(self) -> Contract:
        """Return the contract of the table behind the source."""
        return CONTRACTS[self.table]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns to read, required and optional."""
        return tuple(name for name in self.contract.columns if name != self.contract.key)

    @property
    def hash_sql(self) -> str:
        """Return the SQL of a row's hash over the contract's version, bound as `$version`, and all columns.

        Each value is prefixed by its length in bytes, -1 for null, so that different rows give different texts.
        """
        texts = (f'"{name}"::VARCHAR' for name in self.columns)
        lengths_and_texts = ", ".join(f"':', coalesce(strlen({text}), -1), ':', {text}" for text in texts)
        return f"md5(concat($version, {lengths_and_texts}))"

    @property
    def source_sql(self) -> str:
        """Return the FROM clause that reads the file, its path bound as `$path`."""
        if self.file_name.endswith(".csv"):
            # no sniffing: with a guessed dialect DuckDB may read a ragged file as empty
            options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', skip = 0, null_padding = true"
            rows = f"SELECT *, row_number() OVER () - 1 AS file_row_number FROM read_csv($path, {options}, parallel = false)"
            return f"({_with_lines(rows) if self.has_lines else rows})"
        if self.optional_columns:  # a column that the file does not have is read as null
            kinds = (f"NULL::{self.contract.sql_type(name)} AS {name}" for name in self.optional_columns)
            return f"(SELECT {', '.join(kinds)} WHERE false UNION ALL BY NAME FROM {_PARQUET})"
        return _PARQUET

    @property
    def columns_sql(self) -> str:
        """Return the file's columns cast to the contract's types; a failed cast gives null, which a rule refuses."""
        kinds = {name: self.contract.sql_type(name) for name in self.columns}
        return ", ".join(f"""{typed_sql(f'"{name}"', name, kind)} AS "{name}\"""" for name, kind in kinds.items())


def typed_sql(value: str, name: str, kind: str) -> str:
    """Return the SQL of a column's value cast to its type, null if that fails; a locale is in its normal form."""
    typed = f"TRY_CAST({value} AS {kind})"
    return normalized_locale_sql(typed) if name == "product_locale" else typed


SOURCE_SPECS = (
    SourceSpec(
        "raw.products",
        PRODUCTS_FILE,
        f"concat({normalized_locale_sql('product_locale')}, ':', product_id)",
    ),
    SourceSpec(
        "raw.judgements",
        EXAMPLES_FILE,
        f"concat({normalized_locale_sql('product_locale')}, ':', query_id, ':', product_id)",
        required=False,
        optional_columns=("event_time", "context_key"),
    ),
    SourceSpec(
        "raw.sources",
        SOURCES_FILE,
        "coalesce(TRY_CAST(query_id AS BIGINT)::VARCHAR, query_id, '')",
        required=False,
    ),
    SourceSpec(
        "raw.search_rules",
        SEARCH_RULES,
        f"concat('{SEARCH_RULES}:', line)",
        required=False,
        has_lines=True,
        is_kept=True,
    ),
)
ESCI_SOURCES = (
    Source(
        kind="products",
        files=(SOURCE_SPECS[0].file_name,),
        columns=dict(PRODUCT_COLUMNS),
    ),
    Source(
        kind="judgements",
        files=(SOURCE_SPECS[1].file_name,),
        columns={
            "query": "query",
            "product_id": "product_id",
            "label": "esci_label",
            "locale": "product_locale",
            "query_id": "query_id",
            "example_id": "example_id",
            "split": "split",
            "small_version": "small_version",
            "large_version": "large_version",
        },
    ),
)
"""The files of ESCI as a declaration."""


@dataclass(frozen=True)
class InputFile:
    """A checked file of a source, with the time of the check and the columns that the contract does not declare."""

    source_spec: SourceSpec
    path: Path
    sha256: str
    size_bytes: int
    checked_at: datetime
    new_columns: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        """Return the identity of a file: its name and the hash of its bytes."""
        return self.path.name, self.sha256

    @property
    def input_hash(self) -> str:
        """Return the hash of the bytes and the contract's version."""
        return f"{self.sha256}:{self.source_spec.contract.version}"


def input_files(folder: Path, now: datetime | None = None) -> list[InputFile]:
    """Return the checked files of an ESCI folder, in the order of ingestion.

    A row with an event_time later than `now` (None: the current time) will be refused.

    Raises:
        WarehouseError: As `check_folder`.
    """
    now = now or datetime.now(UTC)
    return [
        InputFile(source_spec, path, sha256(path), path.stat().st_size, now, new_columns)
        for source_spec, path, new_columns in check_folder(folder)
    ]


def check_folder(folder: Path) -> list[tuple[SourceSpec, Path, tuple[str, ...]]]:
    """Check the files of an ESCI folder, and return them with their sources and undeclared columns.

    Raises:
        WarehouseError: The folder or a required file is missing, or a file is a git-lfs pointer, is corrupt, lacks
            a column, or has a column of another type.
    """
    if not folder.is_dir():
        found = "is a file, not a folder" if folder.exists() else "does not exist"
        raise WarehouseError(f"{folder} {found}", "give the folder with the parquet files of ESCI: --raw DIR")
    files = []
    with connect(1.0) as connection:
        for source_spec in SOURCE_SPECS:
            path = folder / source_spec.file_name
            if path.is_file():
                files.append((source_spec, path, _check(connection, path, source_spec)))
            elif source_spec.required or is_in_other_form(path):
                raise no_file(path, f"give a folder that holds {' and '.join(required_files())}")
    return files


def _with_lines(rows: str) -> str:
    """Return the query of CSV rows with the numbers of their lines, without blank rows.

    DuckDB leaves out empty lines. So the n-th row stands in the n-th line that is not empty.
    """
    options = "delim = chr(1), quote = '', escape = '', comment = '', header = false, skip = 0, auto_detect = false"
    lines = f"read_csv($path, columns = {{'text': 'VARCHAR'}}, {options}, strict_mode = false, parallel = false)"
    numbered = f"SELECT row_number() OVER () AS line, text FROM {lines}"
    filled = f"SELECT line, row_number() OVER (ORDER BY line) - 2 AS file_row_number FROM ({numbered}) WHERE text IS NOT NULL"
    texts = "trim(concat(*COLUMNS(* EXCLUDE (file_row_number, line))))"
    return f"FROM ({rows}) JOIN ({filled}) USING (file_row_number) WHERE {texts} <> ''"


def esci_folder(paths: Sequence[Path]) -> Path | None:
    """Return the folder of files that a build reads without a declaration, as `check_folder` accepts them; None for others."""
    names, folders = {path.name for path in paths}, {path.absolute().parent for path in paths}
    if len(folders) > 1 or not set(required_files()) <= names <= {spec.file_name for spec in SOURCE_SPECS}:
        return None
    (folder,) = folders
    try:
        check_folder(folder)
    except WarehouseError:
        return None
    return folder


def required_files() -> list[str]:
    """Return the names of the files that a folder must have."""
    return [source_spec.file_name for source_spec in SOURCE_SPECS if source_spec.required]


def check(path: Path, source_spec: SourceSpec) -> tuple[str, ...]:
    """Refuse a file that cannot be read as the source's table; return the columns that the contract does not declare.

    Raises:
        WarehouseError: The message names the file, and the column if one column is the cause.
    """
    with connect(1.0) as connection:
        return _check(connection, path, source_spec)


def _check(connection: duckdb.DuckDBPyConnection, path: Path, source_spec: SourceSpec) -> tuple[str, ...]:
    """Check a file, and return the columns that the contract does not declare, except for a pandas index."""
    refuse_bytes(path)
    is_csv = source_spec.file_name.endswith(".csv")
    if is_csv:
        refuse_encoding(path)
    else:
        refuse_other_format(path)
    try:
        refuse_ambiguous_columns(
            path, csv_header(path) if is_csv else parquet_columns(connection, path), source_spec.columns
        )
        source = source_spec.source_sql if is_csv else _PARQUET  # as it is, before optional columns are added
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}", {"path": str(plain_path(path))}).fetchall()
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    present = {str(name): str(kind) for name, kind, *_ in described if name != "file_row_number"}
    for name in source_spec.columns:
        if name not in present and name in source_spec.optional_columns:
            continue
        if name not in present:
            raise WarehouseError(
                f"{path} has no column {name}",
                f"it has {', '.join(present)}; rename or add the column, then run again",
            )
        if not is_csv:
            refuse_type(connection, path, name, present[name], source_spec.contract.sql_type(name))
    return tuple(name for name in present if name not in source_spec.columns and not PANDAS_INDEX.fullmatch(name))
