"""Delta files: parquet or JSON lines with an `op` in each row, recognised by their columns and checked before all else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.contracts.contract import FIRST_TIME, INPUT_HASH, LAST_TIME, Contract
from warehouse.contracts.deltas import JudgementDelete, JudgementUpsert, ProductDelete, ProductUpsert
from warehouse.errors import WarehouseError
from warehouse.ingest.file_bytes import line_of, refuse_bytes, refuse_encoding
from warehouse.ingest.sources import (
    PANDAS_INDEX,
    SOURCE_SPECS,
    SourceSpec,
    parquet_columns,
    refuse_ambiguous_columns,
    refuse_type,
    sha256,
    unreadable,
)
from warehouse.lake.lake import connect, quote
from warehouse.paths import check_text, plain_path

_PRODUCTS, _JUDGEMENTS = SOURCE_SPECS[:2]
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
_HINT = "a delta has op (upsert, delete), product_locale, product_id and the columns of products, or those of examples"
_PARQUET = b"PAR1"
# Lines as they are: chr(1) may stand in no JSON, so that nothing is divided.
_LINES = (
    "read_csv($path, columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', comment = '', header = false, "
    "skip = 0, auto_detect = false, strict_mode = false, max_line_size = 16777216, parallel = false)"
)
_JSON_TYPES = {
    "VARCHAR": ("VARCHAR",),
    "TIMESTAMP WITH TIME ZONE": ("VARCHAR",),
    "BIGINT": ("BIGINT", "UBIGINT", "BOOLEAN"),
}
"""What a value in JSON may be for a column of each type."""


@dataclass(frozen=True)
class DeltaFile:
    """A checked delta file: the raw table that it speaks of, when it was checked, its columns, and those beyond the table's."""

    path: Path
    source_spec: SourceSpec
    sha256: str
    size_bytes: int
    checked_at: datetime
    columns: tuple[str, ...]
    new_columns: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        """Return what a file is known by: its name and the hash of its bytes together."""
        return self.path.name, self.sha256

    @property
    def upsert(self) -> Contract:
        """Return what a row that is put in must be."""
        return _UPSERTS[self.source_spec.table]

    @property
    def delete(self) -> Contract:
        """Return what a row that is taken out must be."""
        return _DELETES[self.source_spec.table]

    @property
    def rows_sql(self) -> str:
        """Return the SQL that reads the rows (path bound as `$path`, the contract's version as `$version`).

        They come with row (from 0), key, op, event_time, event_time_text and the hash that a full file would give them.
        What cannot be read as its column's type is null, so that a rule meets it; `mistyped` names, with a comma between them,
        the columns whose value in JSON is of another type.
        """
        source = _source(self.path)
        kinds = {name: self.source_spec.contract.sql_type(name) for name in self.source_spec.columns} | _ORDER
        typed = [f'{self._value(name, kind)} AS "{name}"' for name, kind in kinds.items()]
        typed.append(f"{self._value('event_time', 'VARCHAR')} AS event_time_text")
        typed.append(f"{self._mistyped(kinds)} AS mistyped")
        within = f"event_time BETWEEN '{FIRST_TIME}' AND '{LAST_TIME}'"
        return (
            f"WITH typed AS (SELECT row, {', '.join(typed)} FROM {source}), "
            f"finite AS (SELECT * REPLACE (CASE WHEN {within} THEN event_time END AS event_time) FROM typed) "
            f"SELECT *, {self.source_spec.key_sql} AS key, "
            f"{self.source_spec.hash_sql} AS {INPUT_HASH} FROM finite"
        )

    def _value(self, name: str, kind: str) -> str:
        if name not in self.columns:
            return f"NULL::{kind}"
        value = _column(self.path, name)
        if kind == "BIGINT" and not _is_parquet(self.path):  # as parquet's true and false are read
            value = f"CASE {value} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {value} END"
        return f"TRY_CAST({value} AS {kind})"

    def _mistyped(self, kinds: dict[str, str]) -> str:
        """Return the SQL that names the columns whose value is of another type; those of parquet were refused as a whole."""
        if _is_parquet(self.path):
            return "''"
        cases = (
            f"CASE WHEN json_type(json, {_place(name)}) NOT IN {('NULL', *_JSON_TYPES[kind])} THEN '{name}' END"
            for name, kind in kinds.items()
            if name in self.columns
        )
        return f"concat_ws(',', {', '.join(cases)})"


def check_deltas(paths: Sequence[Path], now: datetime | None = None) -> list[DeltaFile]:
    """Return the delta files, once each is known to be whole and of a kind that there is.

    A row with an event_time later than `now` (None: the clock's time) will be refused.

    Raises:
        WarehouseError: A file is missing, half-written or no delta; it names the file and the hint.
    """
    with connect(1.0) as connection:
        return [_check(connection, path, now or datetime.now(UTC)) for path in paths]


def _check(connection: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> DeltaFile:
    check_text(path.name)  # it is written into raw.deltas
    if not path.is_file():
        raise WarehouseError(f"{path} is not a file", "name delta files: parquet, or JSON lines")
    refuse_bytes(path)
    if not _is_parquet(path):
        refuse_encoding(path)
    try:
        kinds = _kinds(connection, path)
        names = parquet_columns(connection, path) if _is_parquet(path) else list(kinds)
        refuse_ambiguous_columns(path, names, dict.fromkeys((*_PRODUCTS.columns, *_JUDGEMENTS.columns, *_ORDER)))
        source_spec = _source_spec(path, kinds)
        _check_columns(connection, path, source_spec, kinds)
    except duckdb.Error as error:
        raise unreadable(path, error) from error
    declared = {*source_spec.columns, *_ORDER}
    return DeltaFile(
        path,
        source_spec,
        sha256(path),
        path.stat().st_size,
        now,
        columns=tuple(name for name in kinds if name in declared),
        new_columns=tuple(name for name in kinds if name not in declared and not PANDAS_INDEX.fullmatch(name)),
    )


def _kinds(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the file's columns with their types; those of JSON are whatever its lines name, and read as text."""
    if _is_parquet(path):
        (rows,) = connection.execute(
            "SELECT count(*) FROM read_parquet($path)", {"path": str(plain_path(path))}
        ).fetchone() or (0,)
        _refuse_rowless(path, rows)
        described = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(plain_path(path))}
        ).fetchall()
        return {str(name): str(kind) for name, kind, *_ in described}
    broken, other, twice, rows = connection.execute(
        "SELECT min(row) FILTER (json IS NULL), min(row) FILTER (json_type(json) <> 'OBJECT'), "
        "min(row) FILTER (len(json_keys(json)) <> len(list_distinct(json_keys(json)))), count(*) FROM "
        f"(SELECT row, TRY_CAST(json AS JSON) AS json FROM {_texts()})",
        {"path": str(plain_path(path))},
    ).fetchone() or (None, None, None, 0)
    _refuse_rowless(path, rows)
    if broken is not None:
        raise WarehouseError(
            f"{path} cannot be read: line {line_of(path, broken)} is no JSON",
            "it is truncated or broken; copy or download it again",
        )
    if other is not None:
        raise WarehouseError(
            f"{path}: line {line_of(path, other)} is no JSON object", 'write one row a line: {"op": "upsert", …}'
        )
    if twice is not None:
        raise WarehouseError(f"{path}: line {line_of(path, twice)} names a column twice", "keep one of them")
    names = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(json)) AS name FROM {_source(path)} ORDER BY name",
        {"path": str(plain_path(path))},
    ).fetchall()
    return {name: "JSON" for (name,) in names}


def _refuse_rowless(path: Path, rows: int) -> None:
    if not rows:
        raise WarehouseError(f"{path} holds no row", "nothing tells what it is a delta of; leave it out")


def _source_spec(path: Path, kinds: dict[str, str]) -> SourceSpec:
    """Return the source of the raw table that the columns belong to."""
    present = ", ".join(kinds)
    if "op" not in kinds:
        raise WarehouseError(f"{path} is no delta: it has no column op", f"it has {present}; {_HINT}")
    is_judged = "query_id" in kinds
    source_spec, other = (_JUDGEMENTS, _PRODUCTS) if is_judged else (_PRODUCTS, _JUDGEMENTS)
    missing = [name for name in _KEYS[source_spec.table] if name not in kinds]
    if missing:
        raise WarehouseError(f"{path} is no delta: it has no column {missing[0]}", f"it has {present}; {_HINT}")
    foreign = [name for name in other.columns if name in kinds and name not in (*source_spec.columns, *_ORDER)]
    if foreign:
        wants = "query_id is missing" if not is_judged else "put products and judgements into files of their own"
        raise WarehouseError(
            f"{path} is neither a delta of products nor of judgements: it has {present}", f"{wants}; {_HINT}"
        )
    return source_spec


def _check_columns(
    connection: duckdb.DuckDBPyConnection, path: Path, source_spec: SourceSpec, kinds: dict[str, str]
) -> None:
    """Refuse a column of another type, and a file that puts rows in without a column that such a row cannot do without."""
    types = {name: source_spec.contract.sql_type(name) for name in source_spec.columns} | _ORDER
    for name, kind in kinds.items():
        if name in types and kind != "JSON":
            refuse_type(connection, path, name, kind, types[name])
    missing = [name for name in source_spec.columns if name not in kinds and name not in _OPTIONAL[source_spec.table]]
    if missing:
        op = f"TRY_CAST({_column(path, 'op')} AS VARCHAR)"
        upserts = connection.execute(
            f"SELECT count(*) FROM {_source(path)} WHERE {op} = 'upsert'", {"path": str(plain_path(path))}
        ).fetchone()
        if upserts and upserts[0]:
            raise WarehouseError(
                f"{path} has upserts and no column {missing[0]}",
                f"it has {', '.join(kinds)}; an upsert is a whole row: "
                f"only {', '.join(_OPTIONAL[source_spec.table])} may be left out",
            )


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(len(_PARQUET)) == _PARQUET


def _source(path: Path) -> str:
    """Return the FROM clause that reads a delta file with its row numbers, its path bound as `$path`."""
    if _is_parquet(path):
        return "(SELECT file_row_number AS row, * FROM read_parquet($path, file_row_number = true))"
    return f"(SELECT row, json::JSON AS json FROM {_texts()})"


def _texts() -> str:
    """Return the FROM clause that reads the lines of a text that hold something, with row numbers."""
    is_row = "trim(line, concat(' ', chr(9), chr(13))) <> ''"
    return f"(SELECT row_number() OVER () - 1 AS row, line AS json FROM (SELECT line FROM {_LINES} WHERE {is_row}))"


def _column(path: Path, name: str) -> str:
    return f'"{name}"' if _is_parquet(path) else f"(json ->> {_place(name)})"


def _place(name: str) -> str:
    return quote("$." + json.dumps(name))
