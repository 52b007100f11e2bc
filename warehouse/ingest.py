"""Ingest: bring a full snapshot of the raw files into the lake, whole or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from warehouse import events, quarantine, tables
from warehouse.contracts.contract import INPUT_HASH, VIOLATION_SCHEMA
from warehouse.contracts.registry import CONTRACTS
from warehouse.doors import DOORS, Arrival, Door, arrivals
from warehouse.errors import WarehouseError
from warehouse.file_rows import FileRows
from warehouse.lake import WIDE_STREAM, Lake, quote, snapshot_id
from warehouse.reconcile import plan

FILES = CONTRACTS["raw.files"]


@dataclass(frozen=True)
class Ingested:
    """Count what one file brought: rows in it, how the raw table changed, rows refused; name what it has beyond its contract."""

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
        """Return what a person should hear of the file, or nothing."""
        if not self.new_columns:
            return ""
        return f"{self.table}: left out what its contract does not declare: {', '.join(self.new_columns)}"


def ingest(lake: Lake, folder: Path, checked: Sequence[Arrival] | None = None) -> list[Ingested]:
    """Make the raw tables equal to the files in `folder`; a file whose bytes were the last to come in is not read again.

    Of several rows with one key the first good one in the file stays. An optional file that is not there empties its table.
    A file comes after every delta that came in before it: it replaces what they said, and forgets their tombstones. What
    gave way to what is noted in `lake.touched`, if the run follows that.

    Args:
        lake: The lake.
        folder: The folder with the files.
        checked: What `arrivals` says of the folder, where that was asked before: it reads every byte for its hash.

    Raises:
        WarehouseError: A file is missing, broken or of the wrong shape; nothing was written.
    """
    files = {file.door.table: file for file in checked or arrivals(folder)}
    done = _ingest(lake, files)
    return [replace(one, new_columns=files[one.table].new_columns) if one.table in files else one for one in done]


def _ingest(lake: Lake, files: dict[str, Arrival]) -> list[Ingested]:
    known, changed_since = _known_files(lake) or {}, events.tables_of(lake)
    is_known = {
        table: _is_known(known.get(table), file, has_deltas=table in changed_since) for table, file in files.items()
    }
    if known.keys() == files.keys() and all(is_known.values()):
        return [Ingested(door.table, known.get(door.table, ("", 0))[1], unchanged_file=True) for door in DOORS]
    with lake.scratch() as reader:
        reader.execute(WIDE_STREAM)
        seen, present = _present(lake, [table for table in files if not is_known[table]])
        changed = {  # decodes every page, so that a broken file is found before anything is written
            table: FileRows(reader, files[table], lake.settings.batch_rows, rows) for table, rows in present.items()
        }
        with lake.writing() as connection:
            if seen and snapshot_id(connection) != seen:
                raise WarehouseError(f"another process wrote to {lake.root} while the files were read", "run again")
            tables.ensure(connection, FILES)
            done = []
            for door in DOORS:
                if door.table in changed:
                    rows = changed.pop(door.table)
                    done.append(_take_in(lake, connection, files[door.table], rows))
                elif door.table in files:
                    done.append(Ingested(door.table, known[door.table][1], unchanged_file=True))
                else:
                    done.append(_empty(lake, connection, door))
            return done


def require_raw(lake: Lake) -> None:
    """Refuse to go on from a lake into which nothing was ever brought.

    Raises:
        WarehouseError: The raw tables are missing.
    """
    if _known_files(lake) is None:
        raise WarehouseError(f"no raw data in {lake.root.parent}", "bring some in with: stockroom build --raw DIR")


def _is_known(known: tuple[str, int] | None, file: Arrival, has_deltas: bool) -> bool:
    """Tell whether a file is the last one that came in through its door.

    Where deltas came after it, its bytes alone decide: to hold them against a new contract would undo the deltas.
    """
    if known is None:
        return False
    return known[0] == file.input_hash or (has_deltas and known[0].split(":")[0] == file.sha256)


def _known_files(lake: Lake) -> dict[str, tuple[str, int]] | None:
    """Return input hash and rows of the file behind each raw table; None before the first ingest."""
    if not lake.exists:
        return None
    with lake.reading() as connection:
        if not tables.exists(connection, FILES.table):
            return None
        known = connection.execute(
            f"SELECT key, {INPUT_HASH}, rows FROM {FILES.table} WHERE key LIKE 'raw.%'"
        ).fetchall()
        return {table: (input_hash, rows) for table, input_hash, rows in known}


def _present(lake: Lake, tables_asked: Iterable[str]) -> tuple[int, dict[str, pl.DataFrame]]:
    """Return the lake's snapshot, and the (key, input_hash) of the rows that raw tables have in it.

    The hash is null under keys of which rows were refused: these likely come again.
    """
    nothing = pl.DataFrame(schema=tables.HASHES)
    if not lake.exists:
        return 0, dict.fromkeys(tables_asked, nothing)
    found = {}
    with lake.reading() as connection:
        for table in tables_asked:
            contract = CONTRACTS[table]
            is_there = tables.exists(connection, table) and not tables.has_other_types(connection, contract)
            rows = tables.hashes(connection, contract) if is_there else nothing
            refused = quarantine.keys(connection, table)["key"]
            known = pl.when(~pl.col("key").is_in(refused.implode())).then(INPUT_HASH)
            found[table] = rows.with_columns(known.alias(INPUT_HASH))
        return snapshot_id(connection), found


def _take_in(lake: Lake, connection: duckdb.DuckDBPyConnection, file: Arrival, read: FileRows) -> Ingested:
    """Reconcile a raw table with its file, whose rows were read."""
    contract, rows = file.door.contract, read.rows
    is_plain = pl.col("is_good") & ~pl.col("key").is_duplicated()
    chosen, refused = read.first_good(rows.filter(~is_plain))
    desired = pl.concat([rows.filter(is_plain).select("row", "key", INPUT_HASH), chosen])
    tables.ensure(connection, contract)
    connection.register("in_question", pl.concat([rows.select("key"), read.gone]))
    current = tables.hashes(connection, contract, "key IN (FROM in_question)")
    change = plan(desired, current)
    connection.unregister("in_question")
    as_of = events.forget(connection, contract.table, lake.touched)
    wanted = desired.join(change.upsert, on="key", how="semi")
    gone = tables.take_out(connection, contract, change.stale, current)
    if wanted.height:
        read.put_in(connection, wanted)
    if lake.touched is not None:
        lake.touched.note(contract.table, gone, wanted)
    quarantine.replace(connection, contract.table, refused, touched=lake.touched)
    _record(lake, connection, file, read.height, as_of)
    return Ingested(
        contract.table,
        read.height,
        change.insert.height,
        change.update.height,
        change.delete.height,
        quarantined=rows.height - desired.height,
    )


def _empty(lake: Lake, connection: duckdb.DuckDBPyConnection, door: Door) -> Ingested:
    """Reconcile a raw table with a file that is not there."""
    tables.ensure(connection, door.contract)
    nothing = pl.DataFrame(schema=tables.HASHES)
    current = tables.hashes(connection, door.contract)
    counts = tables.write(connection, door.contract, plan(nothing, current), current, (), lake.touched)
    quarantine.replace(connection, door.table, pl.DataFrame(schema=VIOLATION_SCHEMA), touched=lake.touched)
    _replace_record(lake, connection, door.table, nothing)
    return Ingested(door.table, 0, *counts)


def _record(
    lake: Lake, connection: duckdb.DuckDBPyConnection, file: Arrival, rows: int, as_of: datetime | None
) -> None:
    """Say of the table's file when and how it came in, in place of what was said of the one before."""
    new = pl.DataFrame({"key": [file.door.table], INPUT_HASH: [file.input_hash]})
    _replace_record(lake, connection, file.door.table, new)
    connection.execute(
        f"INSERT INTO {FILES.table} BY NAME "
        "SELECT ? AS key, ? AS name, ? AS sha256, ? AS size_bytes, ? AS rows, ? AS as_of, ? AS after_arrival, "
        f"? AS {INPUT_HASH}",
        [
            file.door.table,
            file.path.name,
            file.sha256,
            file.size_bytes,
            rows,
            as_of,
            events.last_arrival(connection),
            file.input_hash,
        ],
    )


def _replace_record(lake: Lake, connection: duckdb.DuckDBPyConnection, table: str, new: pl.DataFrame) -> None:
    """Take out what is said of a table's file; `new` (key, input_hash) is what the caller puts in its place."""
    gone = tables.hashes(connection, FILES, f"key = {quote(table)}")
    tables.take_out(connection, FILES, gone, gone)
    if lake.touched is not None:
        lake.touched.note(FILES.table, gone, new)
