"""Full ingest: load a full snapshot of the raw files into the lake, atomically."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, VIOLATION_SCHEMA
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.ingest import late_events
from warehouse.ingest.file_diff import FileRows
from warehouse.ingest.sources import SOURCE_SPECS, InputFile, SourceSpec, input_files
from warehouse.lake import quarantine, tables
from warehouse.lake.lake import WIDE_STREAM, Lake, snapshot_id
from warehouse.lake.loss_guard import GUARDED, Loss, refuse_empty, refuse_loss, require_judged_products, rule_counts
from warehouse.lake.reconcile import plan
from warehouse.sources.prepared import is_prepared, refused_rows

FILES = CONTRACTS["raw.files"]
SPECS = {source_spec.table: source_spec for source_spec in SOURCE_SPECS}


@dataclass(frozen=True)
class Ingested:
    """Count the rows of one file, the changes of its raw table and the refused rows; name the undeclared columns."""

    table: str
    rows: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    quarantined: int = 0
    unchanged_file: bool = False
    new_columns: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """Return the warning about undeclared columns; empty if there are none."""
        if not self.new_columns:
            return ""
        return f"{self.table}: left out the columns that its contract does not declare: {', '.join(self.new_columns)}"


@dataclass(frozen=True)
class _Prepared:
    """Hold a file's rows, the desired ones (row, key, input_hash), and the violations of the refused ones.

    `keys` are the keys that the table will have, a frame (key). `unread` counts the values that a declared source refused.
    """

    read: FileRows
    desired: pl.DataFrame
    refused: pl.DataFrame
    keys: pl.DataFrame
    unread: int = 0


def ingest(
    lake: Lake,
    folder: Path,
    checked: Sequence[InputFile] | None = None,
    *,
    allow_loss: bool = False,
    is_replay: bool = False,
    alone: bool = False,
) -> list[Ingested]:
    """Make the raw tables equal to the files in `folder`; a file equal to the last ingested one is not read again.

    A file replaces the rows of its table as of its time, with every delta that was ingested before it, tombstones included.

    Args:
        lake: The lake.
        folder: The folder with the files.
        checked: The result of `input_files` for the folder, if known; it hashes every byte.
        allow_loss: Whether a file may remove more rows from its table than the setting max_loss_share allows.
        is_replay: Whether the files were ingested before, elsewhere; then the loss checks are skipped.
        alone: Whether the tables without a file stay as they are.

    Raises:
        WarehouseError: A file is missing, corrupt or of the wrong shape, would remove all or too many rows of its table, or
            there are judgements and none is of a known product; nothing was written.
    """
    files = {file.source_spec.table: file for file in checked or input_files(folder)}
    results = _ingest(lake, files, allow_loss=allow_loss, is_replay=is_replay, alone=alone)
    return [
        replace(result, new_columns=files[result.table].new_columns) if result.table in files else result
        for result in results
    ]


def _ingest(
    lake: Lake, files: dict[str, InputFile], *, allow_loss: bool, is_replay: bool, alone: bool
) -> list[Ingested]:
    source_specs = [each for each in SOURCE_SPECS if each.table in files or not (alone or each.is_kept)]
    previous_files, tables_with_deltas = _known_files(lake) or {}, late_events.tables_of(lake)
    is_known = {
        table: _is_known(previous_files.get(table), file, has_deltas=table in tables_with_deltas)
        for table, file in files.items()
    }
    known_tables = previous_files.keys() & {each.table for each in source_specs}
    if known_tables == files.keys() and all(is_known.values()):
        return [
            Ingested(source_spec.table, previous_files.get(source_spec.table, ("", 0))[1], unchanged_file=True)
            for source_spec in source_specs
        ]
    with lake.scratch() as reader:
        reader.execute(WIDE_STREAM)
        to_read = {table for table in files if not is_known[table]}
        base_snapshot, present = _present(lake, sorted(to_read.union(GUARDED) & {each.table for each in source_specs}))
        prepared_files = {  # decodes every page, so that a corrupt file is found before anything is written
            table: _prepare(reader, files[table], lake.settings.batch_rows, rows)
            for table, rows in present.items()
            if table in to_read
        }
        if not is_replay:
            losses = [_loss(files[table], present[table], prepared) for table, prepared in prepared_files.items()]
            losses += [_loss_of_missing(files, table, rows) for table, rows in present.items() if table not in files]
            for loss in losses:
                refuse_empty(loss)
            keys = present | {table: prepared.keys for table, prepared in prepared_files.items()}
            if not alone and "raw.judgements" in files and keys["raw.judgements"].height:
                require_judged_products(
                    files["raw.products"].path,
                    keys["raw.products"],
                    files["raw.judgements"].path,
                    keys["raw.judgements"],
                )
            for loss in losses:
                refuse_loss(loss, lake.settings.max_loss_share, allow_loss)
        del present
        with lake.writing() as connection:
            if base_snapshot and snapshot_id(connection) != base_snapshot:
                raise WarehouseError(
                    f"another process wrote to {lake.root} while the files were read", "run the same command again"
                )
            tables.ensure(connection, FILES)
            results = []
            for source_spec in source_specs:
                if source_spec.table in prepared_files:
                    results.append(
                        _load_file(lake, connection, files[source_spec.table], prepared_files.pop(source_spec.table))
                    )
                elif source_spec.table in files:
                    results.append(
                        Ingested(source_spec.table, previous_files[source_spec.table][1], unchanged_file=True)
                    )
                else:
                    results.append(_empty(lake, connection, source_spec))
            return results


def require_raw(lake: Lake) -> None:
    """Refuse a lake without raw data.

    Raises:
        WarehouseError: The raw tables are missing.
    """
    if _known_files(lake) is None:
        raise WarehouseError(f"no raw data in {lake.root.parent}", "ingest data with: stockroom build --raw DIR")


def are_ingested(lake: Lake, files: Sequence[InputFile]) -> bool:
    """Tell whether the raw tables of files are those that the files made, under the same contracts."""
    known_files = _known_files(lake) or {}
    return all(known_files.get(file.source_spec.table, ("", 0))[0] == file.input_hash for file in files)


def _is_known(last_file: tuple[str, int] | None, file: InputFile, has_deltas: bool) -> bool:
    """Tell whether a file equals the last ingested one of its table.

    If deltas were ingested since, only the bytes are compared: ingesting the file again under a new contract would undo the
    deltas.
    """
    if last_file is None:
        return False
    return last_file[0] == file.input_hash or (has_deltas and last_file[0].split(":")[0] == file.sha256)


def _known_files(lake: Lake) -> dict[str, tuple[str, int]] | None:
    """Return the input hash and row count of the last file of each raw table; None before the first ingest."""
    if not lake.exists:
        return None
    with lake.reading() as connection:
        if not tables.exists(connection, FILES.table):
            return None
        files = connection.execute(
            f"SELECT key, {INPUT_HASH}, rows FROM {FILES.table} WHERE key LIKE 'raw.%'"
        ).fetchall()
        return {table: (input_hash, rows) for table, input_hash, rows in files}


def _present(lake: Lake, names: Iterable[str]) -> tuple[int, dict[str, pl.DataFrame]]:
    """Return the lake's snapshot, and the (key, input_hash) of the rows of raw tables in it.

    The hash is null for keys with refused rows, since the next file likely repeats these rows.
    """
    nothing = pl.DataFrame(schema=tables.HASHES)
    if not lake.exists:
        return 0, dict.fromkeys(names, nothing)
    hashes_by_table = {}
    with lake.reading() as connection:
        for table in names:
            contract = CONTRACTS[table]
            rows = tables.hashes(connection, contract) if tables.exists(connection, table) else nothing
            refused = quarantine.keys(connection, table)["key"]
            known_hash = pl.when(~pl.col("key").is_in(refused.implode())).then(INPUT_HASH)
            hashes_by_table[table] = rows.with_columns(known_hash.alias(INPUT_HASH))
        return snapshot_id(connection), hashes_by_table


def _prepare(reader: duckdb.DuckDBPyConnection, file: InputFile, batch_rows: int, present: pl.DataFrame) -> _Prepared:
    """Read a file and choose the rows that its table, with the current rows (key, input_hash), should have."""
    file_rows = FileRows(reader, file, batch_rows, present)
    is_plain = pl.col("is_good") & ~pl.col("key").is_duplicated()
    chosen, refused = file_rows.first_good(file_rows.rows.filter(~is_plain))
    desired = pl.concat([file_rows.rows.filter(is_plain).select("row", "key", INPUT_HASH), chosen])
    unchanged_keys = present.select("key").join(
        pl.concat([file_rows.rows.select("key"), file_rows.gone]), on="key", how="anti"
    )
    unread = refused_rows(file.path.parent, file.source_spec.table).select(refused.columns)
    keys = pl.concat([unchanged_keys, desired.select("key")])
    return _Prepared(file_rows, desired, pl.concat([refused, unread]), keys, unread.height)


def _loss(file: InputFile, present: pl.DataFrame, prepared: _Prepared) -> Loss:
    removed_count = present.join(prepared.keys, on="key", how="anti").height
    rules = rule_counts(prepared.refused)
    name = "what stockroom.toml declares" if is_prepared(file.path.parent) else str(file.path)
    return Loss(file.source_spec.table, name, present.height, removed_count, prepared.keys.height, rules)


def _loss_of_missing(files: dict[str, InputFile], table: str, present: pl.DataFrame) -> Loss:
    folder, spec = files["raw.products"].path.parent, SPECS[table]
    return Loss(table, f"{folder} without {spec.file_name}", present.height, present.height, 0)


def _load_file(lake: Lake, connection: duckdb.DuckDBPyConnection, file: InputFile, prepared: _Prepared) -> Ingested:
    """Make a raw table equal to its prepared file, and write only the differences."""
    contract, file_rows, desired = file.source_spec.contract, prepared.read, prepared.desired
    tables.ensure(connection, contract)
    connection.register("keys_to_compare", pl.concat([file_rows.rows.select("key"), file_rows.gone]))
    current = tables.hashes(connection, contract, "key IN (FROM keys_to_compare)")
    change = plan(desired, current)
    connection.unregister("keys_to_compare")
    as_of = late_events.clear(connection, contract.table)
    new_rows = desired.join(change.upsert, on="key", how="semi")
    tables.delete_rows(connection, contract, change.obsolete, current)
    if new_rows.height:
        file_rows.insert(connection, new_rows)
    quarantine.replace(connection, contract.table, prepared.refused)
    _record(connection, file, file_rows.height, as_of)
    return Ingested(
        contract.table,
        file_rows.height,
        change.insert.height,
        change.update.height,
        change.delete.height,
        quarantined=file_rows.rows.height - desired.height + prepared.unread,
    )


def _empty(lake: Lake, connection: duckdb.DuckDBPyConnection, source_spec: SourceSpec) -> Ingested:
    """Empty the raw table of a missing file."""
    tables.ensure(connection, source_spec.contract)
    nothing = pl.DataFrame(schema=tables.HASHES)
    current = tables.hashes(connection, source_spec.contract)
    counts = tables.write(connection, source_spec.contract, plan(nothing, current), current, ())
    quarantine.replace(connection, source_spec.table, pl.DataFrame(schema=VIOLATION_SCHEMA))
    connection.execute(f"DELETE FROM {FILES.table} WHERE key = ?", [source_spec.table])
    return Ingested(source_spec.table, 0, *counts)


def _record(connection: duckdb.DuckDBPyConnection, file: InputFile, rows: int, as_of: datetime | None) -> None:
    """Replace the table's row in raw.files."""
    connection.execute(f"DELETE FROM {FILES.table} WHERE key = ?", [file.source_spec.table])
    connection.execute(
        f"INSERT INTO {FILES.table} BY NAME "
        "SELECT ? AS key, ? AS name, ? AS sha256, ? AS size_bytes, ? AS rows, ? AS as_of, ? AS after_delta, "
        f"? AS checked_at, ? AS {INPUT_HASH}",
        [
            file.source_spec.table,
            file.path.name,
            file.sha256,
            file.size_bytes,
            rows,
            as_of,
            late_events.last_sequence_number(connection),
            file.checked_at,
            file.input_hash,
        ],
    )
