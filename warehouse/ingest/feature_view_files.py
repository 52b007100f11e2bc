"""Feature view files: the user's files of features, checked whole, then reconciled with their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.declaration.attributes import AttributeView
from warehouse.ingest.feature_view_check import check_file, column_kinds, identity_columns, rows_sql
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.paths import plain_path
from warehouse.readers.file_advice import no_file
from warehouse.readers.file_hash import sha256

FILES = CONTRACTS["raw.files"]


@dataclass(frozen=True)
class FeatureViewIngested:
    """Count the changes that one file made in its table; `unchanged_file` means that it equals the last ingested one."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged_file: bool = False


def check_files(lake: Lake, home: Path, declared: Sequence[FeatureView], now: datetime) -> None:
    """Refuse the first invalid file; files already in the lake, and the one that the sources became, are not read again.

    Raises:
        WarehouseError: As `ingest_file`.
    """
    for table in (each for each in declared if not isinstance(each, AttributeView)):
        path = _path(home, table)
        if not _is_known(lake, table, _input_hash(path, table)):
            with lake.scratch() as connection:
                check_file(connection, path, table, now)


def ingest_file(lake: Lake, folder: Path, table: FeatureView, now: datetime) -> FeatureViewIngested:
    """Make the table of a feature view equal to its file; a file equal to the last ingested one is not read again.

    Args:
        lake: The lake.
        folder: The folder at which a relative path of the declaration starts.
        table: The declaration.
        now: The time after which no event can lie.

    Raises:
        WarehouseError: The file is missing or corrupt, a column is missing or of another type, or a row has no key, no
            event_time, one later than `now`, or the key and time of another row. The message names file, column and row.
    """
    path = _path(folder, table)
    input_hash = _input_hash(path, table)
    if _is_known(lake, table, input_hash):
        return FeatureViewIngested(unchanged_file=True)
    contract = table.contract
    is_of_sources = isinstance(table, AttributeView)
    with lake.scratch() as connection:
        kinds = column_kinds(connection, path, table) if is_of_sources else check_file(connection, path, table, now)
    with lake.writing() as connection:
        key = "entity_key" if table.is_static else "concat(entity_key, '@', event_time::VARCHAR)"
        # Sorted, so that a lookup neither sorts nor hashes, and reads little for few entities.
        source = (
            f"SELECT {key} AS key, * EXCLUDE (row) FROM ({rows_sql(table, kinds)}) ORDER BY {identity_columns(table)}"
        )
        if is_of_sources:  # whose bad keys the products' ingest has refused
            source = f"FROM ({source}) SEMI JOIN raw.products USING (key) ORDER BY key"
        change = tables.refresh_by(connection, contract, source, {"path": str(plain_path(path))})
        tables.ensure(connection, FILES)
        connection.execute(f"DELETE FROM {FILES.table} WHERE key = ?", [contract.table])
        connection.execute(
            f"INSERT INTO {FILES.table} BY NAME "
            f"SELECT ? AS key, ? AS name, ? AS sha256, ? AS size_bytes, ? AS rows, ? AS {INPUT_HASH}",
            [
                contract.table,
                path.name,
                input_hash.split(":")[0],
                path.stat().st_size,
                tables.count(connection, contract.table),
                input_hash,
            ],
        )
    return FeatureViewIngested(change.insert.height, change.update.height, change.delete.height)


def _path(home: Path, table: FeatureView) -> Path:
    path = home / table.file
    if not path.is_file():
        raise no_file(
            path, f"put the file there, or correct [[feature_view]] {table.name} in stockroom.toml of the home"
        )
    return path


def _input_hash(path: Path, table: FeatureView) -> str:
    return f"{sha256(path)}:{table.contract.version}"


def _is_known(lake: Lake, table: FeatureView, input_hash: str) -> bool:
    if not lake.exists:
        return False
    with lake.reading() as connection:
        if not (tables.exists(connection, FILES.table) and tables.exists(connection, table.contract.table)):
            return False
        input_hashes = connection.execute(
            f"SELECT {INPUT_HASH} FROM {FILES.table} WHERE key = ?", [table.contract.table]
        )
        return input_hashes.fetchone() == (input_hash,)
