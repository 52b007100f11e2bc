"""Delta files: parquet or JSON lines with an `op` in each row, recognised by their columns and checked before all else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.contracts.deltas import JudgementDelete, JudgementUpsert, ProductDelete, ProductUpsert
from warehouse.doors import DOORS, PANDAS_INDEX, Door, fits, is_all_null, refuse_pointer, sha256, unreadable
from warehouse.errors import WarehouseError
from warehouse.lake import connect, quote
from warehouse.paths import check_text, plain_path

_PRODUCTS, _JUDGEMENTS = DOORS[:2]
_UPSERTS = {
    _PRODUCTS.table: Contract(_PRODUCTS.table, ProductUpsert),
    _JUDGEMENTS.table: Contract(_JUDGEMENTS.table, JudgementUpsert),
}
_DELETES = {
    _PRODUCTS.table: Contract(_PRODUCTS.table, ProductDelete),
    _JUDGEMENTS.table: Contract(_JUDGEMENTS.table, JudgementDelete),
}
_KEYS = {
    _PRODUCTS.table: ("product_locale", "product_id"),
    _JUDGEMENTS.table: ("product_locale", "query_id", "product_id"),
}
_OPTIONAL = {
    _PRODUCTS.table: ("product_description", "product_bullet_point", "product_brand", "product_color"),
    _JUDGEMENTS.table: _JUDGEMENTS.optional_columns,
}
_ORDER = {"op": "VARCHAR", "event_time": "TIMESTAMP WITH TIME ZONE"}
_MEND = "a delta has op (upsert, delete), product_locale, product_id and the columns of products, or those of examples"
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class DeltaFile:
    """A checked delta file: the raw table that it speaks of, its columns, and those that the table does not have."""

    path: Path
    door: Door
    sha256: str
    size_bytes: int
    columns: tuple[str, ...]
    new_columns: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        """Return what a file is known by: its name and the hash of its bytes together."""
        return self.path.name, self.sha256

    @property
    def upsert(self) -> Contract:
        """Return what a row that is put in must be."""
        return _UPSERTS[self.door.table]

    @property
    def delete(self) -> Contract:
        """Return what a row that is taken out must be."""
        return _DELETES[self.door.table]

    @property
    def rows_sql(self) -> str:
        """Return the SQL that reads the rows (path bound as `$path`, the contract's version as `$version`).

        They come with row (from 0), key, op, event_time, event_time_text and the hash that a full file would give them.
        What cannot be read as its column's type is null, so that a rule meets it.
        """
        source = _source(self.path)
        kinds = {name: self.door.contract.sql_type(name) for name in self.door.columns} | _ORDER
        typed = [f'{self._value(name, kind)} AS "{name}"' for name, kind in kinds.items()]
        typed.append(f"{self._value('event_time', 'VARCHAR')} AS event_time_text")
        return (
            f"WITH typed AS (SELECT row, {', '.join(typed)} FROM {source}), "
            "finite AS (SELECT * REPLACE (CASE WHEN isfinite(event_time) THEN event_time END AS event_time) FROM typed) "
            f"SELECT *, {self.door.key_sql} AS key, "
            f"{self.door.hash_sql} AS {INPUT_HASH} FROM finite"
        )

    def _value(self, name: str, kind: str) -> str:
        if name not in self.columns:
            return f"NULL::{kind}"
        return f"TRY_CAST({_column(self.path, name)} AS {kind})"


def check_deltas(paths: Sequence[Path]) -> list[DeltaFile]:
    """Return the delta files, once each is known to be whole and of a kind that there is.

    Raises:
        WarehouseError: A file is missing, half-written or no delta; it names the file and the mend.
    """
    with connect(1.0) as connection:
        return [_check(connection, path) for path in paths]


def _check(connection: duckdb.DuckDBPyConnection, path: Path) -> DeltaFile:
    check_text(path.name)  # it is written into raw.deltas
    if not path.is_file():
        raise WarehouseError(f"{path} is not a file", "name delta files: parquet, or JSON lines")
    refuse_pointer(path)
    try:
        kinds = _kinds(connection, path)
        door = _door(path, kinds)
        _check_columns(connection, path, door, kinds)
        if not _is_parquet(path):
            connection.execute(f"SELECT max(length(json)) FROM {_source(path)}", {"path": str(plain_path(path))})
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    known = {*door.columns, *_ORDER}
    return DeltaFile(
        path,
        door,
        sha256(path),
        path.stat().st_size,
        columns=tuple(name for name in kinds if name in known),
        new_columns=tuple(name for name in kinds if name not in known and not PANDAS_INDEX.fullmatch(name)),
    )


def _kinds(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the file's columns with their types; those of JSON are whatever its lines name, and read as text."""
    if _is_parquet(path):
        described = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(plain_path(path))}
        ).fetchall()
        return {str(name): str(kind) for name, kind, *_ in described}
    no_object = connection.execute(
        f"SELECT min(row) FROM {_source(path)} WHERE json_type(json) <> 'OBJECT'", {"path": str(plain_path(path))}
    ).fetchone()
    if no_object and no_object[0] is not None:
        raise WarehouseError(
            f"{path}: line {no_object[0] + 1} is no JSON object", 'write one row a line: {"op": "upsert", …}'
        )
    names = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(json)) AS name FROM {_source(path)} ORDER BY name",
        {"path": str(plain_path(path))},
    ).fetchall()
    if not names:
        raise WarehouseError(f"{path} holds no row", "nothing tells what it is a delta of; leave it out")
    return {name: "JSON" for (name,) in names}


def _door(path: Path, kinds: dict[str, str]) -> Door:
    """Return the door of the raw table that the columns belong to."""
    present = ", ".join(kinds)
    if "op" not in kinds:
        raise WarehouseError(f"{path} is no delta: it has no column op", f"it has {present}; {_MEND}")
    is_judged = "query_id" in kinds
    door, other = (_JUDGEMENTS, _PRODUCTS) if is_judged else (_PRODUCTS, _JUDGEMENTS)
    missing = [name for name in _KEYS[door.table] if name not in kinds]
    if missing:
        raise WarehouseError(f"{path} is no delta: it has no column {missing[0]}", f"it has {present}; {_MEND}")
    foreign = [name for name in other.columns if name in kinds and name not in (*door.columns, *_ORDER)]
    if foreign:
        wants = "query_id is missing" if not is_judged else "put products and judgements into files of their own"
        raise WarehouseError(
            f"{path} is neither a delta of products nor of judgements: it has {present}", f"{wants}; {_MEND}"
        )
    return door


def _check_columns(connection: duckdb.DuckDBPyConnection, path: Path, door: Door, kinds: dict[str, str]) -> None:
    """Refuse a column of another type, and a file that puts rows in without a column that such a row cannot do without."""
    for name, kind in kinds.items():
        wanted = {name: door.contract.sql_type(name) for name in door.columns} | _ORDER
        is_fine = name not in wanted or kind == "JSON" or fits(kind, wanted[name])
        if not (is_fine or (name == "event_time" and kind == "VARCHAR") or is_all_null(connection, path, name)):
            raise WarehouseError(f"{path}: column {name} is {kind}, not {wanted[name]}", f"cast it to {wanted[name]}")
    missing = [name for name in door.columns if name not in kinds and name not in _OPTIONAL[door.table]]
    if missing:
        op = f"TRY_CAST({_column(path, 'op')} AS VARCHAR)"
        found = connection.execute(
            f"SELECT count(*) FROM {_source(path)} WHERE {op} = 'upsert'", {"path": str(plain_path(path))}
        ).fetchone()
        if found and found[0]:
            raise WarehouseError(
                f"{path} has upserts and no column {missing[0]}",
                f"it has {', '.join(kinds)}; an upsert is a whole row: only {', '.join(_OPTIONAL[door.table])} may be left out",
            )


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(len(_PARQUET)) == _PARQUET


def _source(path: Path) -> str:
    """Return the FROM clause that reads a delta file with its row numbers, its path bound as `$path`."""
    if _is_parquet(path):
        return "(SELECT file_row_number AS row, * FROM read_parquet($path, file_row_number = true))"
    lines = "read_json_objects($path, format = 'newline_delimited')"
    return f"(SELECT row_number() OVER () - 1 AS row, json FROM {lines})"


def _column(path: Path, name: str) -> str:
    return f'"{name}"' if _is_parquet(path) else f"(json ->> {quote('$.' + json.dumps(name))})"
