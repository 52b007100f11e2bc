"""Delta files: parquet or JSON lines with an `op` in each row, recognized by their columns and checked first."""

import codecs
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from warehouse.contracts.contract import FIRST_TIME, INPUT_HASH, LAST_TIME, VIOLATION_SCHEMA, Contract
from warehouse.contracts.deltas import JudgementDelete, JudgementUpsert, ProductDelete, ProductUpsert
from warehouse.conversion.number_text import DecimalSigns
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.ingest.sources import SOURCE_SPECS, SourceSpec, typed_sql
from warehouse.lake.lake import connect, quote
from warehouse.paths import check_text, plain_path, private_folder
from warehouse.readers.file_advice import advice, no_file
from warehouse.readers.file_bytes import line_of, refuse_bytes, refuse_encoding
from warehouse.readers.file_columns import (
    PANDAS_INDEX,
    parquet_columns,
    refuse_ambiguous_columns,
    refuse_type,
    unreadable,
)
from warehouse.readers.file_hash import sha256
from warehouse.sources.delta import converted_delta

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
_HINT = "a delta file has op (upsert or delete), product_locale, product_id and the columns of products or of examples"
_PARQUET = b"PAR1"
# Whole lines: chr(1) cannot occur in JSON, so it never splits one.
_LINES = (
    "read_csv($path, columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', comment = '', header = false, "
    "skip = 0, auto_detect = false, strict_mode = false, max_line_size = 16777216, parallel = false)"
)
_JSON_TYPES = {
    "VARCHAR": ("VARCHAR",),
    "TIMESTAMP WITH TIME ZONE": ("VARCHAR",),
    "BIGINT": ("BIGINT", "UBIGINT", "BOOLEAN"),
}
"""The JSON types that a column of each SQL type accepts."""


@dataclass(frozen=True)
class DeltaFile:
    """A checked delta file: its raw table, the time of the check, its declared columns, and the undeclared ones.

    Of a file in the shape of a declared source, `path` is what the file `given_as` became, `attributes` a file with the
    attributes of its products, and `unread` are the values that could not be read (key, rule, row).
    """

    path: Path
    source_spec: SourceSpec
    sha256: str
    size_bytes: int
    checked_at: datetime
    columns: tuple[str, ...]
    new_columns: tuple[str, ...] = ()
    attributes: Path | None = None
    given_as: Path | None = None
    unread: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema=VIOLATION_SCHEMA), compare=False, repr=False
    )

    @property
    def identity(self) -> tuple[str, str]:
        """Return the identity of a file: its name and the hash of its bytes."""
        return self.path.name, self.sha256

    @property
    def upsert(self) -> Contract:
        """Return the contract of an upserted row."""
        return _UPSERTS[self.source_spec.table]

    @property
    def delete(self) -> Contract:
        """Return the contract of a deleted row."""
        return _DELETES[self.source_spec.table]

    @property
    def rows_sql(self) -> str:
        """Return the SQL that reads the rows (path bound as `$path`, the contract's version as `$version`).

        They have row (from 0), key, op, event_time, event_time_text and the same hash as in a full file. A value that cannot
        be cast to its column's type is null, which a rule refuses. `mistyped` names the columns whose JSON value has another
        type, separated by commas.
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

    @property
    def values_sql(self) -> str:
        """Return the SQL that reads row and the declared columns as text, as they are written in the file."""
        texts = (f'{_written(self.path, name)} AS "{name}"' for name in self.columns)
        return f"SELECT {', '.join(['row', *texts])} FROM {_source(self.path)}"

    def place_of(self, row: int) -> str:
        """Return where a row (from 0) is in the file: its line in a text, else its number from 1."""
        return f"row {row + 1}" if _is_parquet(self.path) else f"line {line_of(self.path, row)}"

    def _value(self, name: str, kind: str) -> str:
        if name not in self.columns:
            return f"NULL::{kind}"
        value = _column(self.path, name)
        if kind == "BIGINT" and not _is_parquet(self.path):  # as for the booleans of parquet
            value = f"CASE {value} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {value} END"
        return typed_sql(value, name, kind)

    def _mistyped(self, kinds: dict[str, str]) -> str:
        """Return the SQL that names the columns whose value has another type; for parquet none, since the file is refused."""
        if _is_parquet(self.path):
            return "''"
        cases = (
            f"CASE WHEN json_type(json, {_place(name)}) NOT IN {('NULL', *_JSON_TYPES[kind])} THEN '{name}' END"
            for name, kind in kinds.items()
            if name in self.columns
        )
        return f"concat_ws(',', {', '.join(cases)})"


def check_deltas(
    paths: Sequence[Path],
    now: datetime | None = None,
    *,
    sources: Sequence[Source] = (),
    decimal_signs: DecimalSigns = (),
) -> list[DeltaFile]:
    """Check delta files, and return what the ingestion needs to know of each.

    A row with an event_time later than `now` (None: the current time) will be refused. A file in the shape of one of the
    declared `sources` is converted first, to a file of the same name in a temporary folder; its numbers have the
    `decimal_signs` of the files that the catalog was built from.

    Raises:
        WarehouseError: A file is missing, is incomplete or is not a delta file; the message names the file.
    """
    with connect(1.0) as connection:
        return [_checked(connection, path, now or datetime.now(UTC), sources, decimal_signs) for path in paths]


def _checked(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    now: datetime,
    sources: Sequence[Source],
    decimal_signs: DecimalSigns,
) -> DeltaFile:
    if not sources or not path.is_file():
        return _check(connection, path, now)
    delta = converted_delta(path, sources, private_folder() / sha256(path), decimal_signs)
    if delta is None:
        return _check(connection, path, now)
    return replace(_check(connection, delta.path, now), attributes=delta.attributes, given_as=path, unread=delta.unread)


def _check(connection: duckdb.DuckDBPyConnection, path: Path, now: datetime) -> DeltaFile:
    check_text(path.name)  # the name is written into raw.deltas
    if not path.is_file():
        raise no_file(path, "give the path of a parquet or JSON lines file")
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
    """Return the file's columns with their types; the columns of JSON are all names in its lines, with the type JSON."""
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
            f"{path} cannot be read: line {line_of(path, broken)} is not JSON",
            advice(path) if broken or _begins_an_object(path) else "write the delta file as JSON lines or parquet",
        )
    if other is not None:
        raise WarehouseError(
            f"{path}: line {line_of(path, other)} is not a JSON object", 'write one row per line: {"op": "upsert", …}'
        )
    if twice is not None:
        raise WarehouseError(f"{path}: line {line_of(path, twice)} names a column twice", "keep one of the two values")
    names = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(json)) AS name FROM {_source(path)} ORDER BY name",
        {"path": str(plain_path(path))},
    ).fetchall()
    return {name: "JSON" for (name,) in names}


def _begins_an_object(path: Path) -> bool:
    """Tell whether a text file begins as JSON lines do, so that its first line is one that was cut short."""
    with path.open("rb") as file:
        return file.read(64).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _refuse_rowless(path: Path, rows: int) -> None:
    if not rows:
        raise WarehouseError(f"{path} has no rows", "give a delta file with at least one row")


def _source_spec(path: Path, kinds: dict[str, str]) -> SourceSpec:
    """Return the source that the columns belong to."""
    present = ", ".join(kinds)
    if "op" not in kinds:
        raise WarehouseError(f"{path} is not a delta file: it has no column op", f"it has {present}; {_HINT}")
    is_judged = "query_id" in kinds
    source_spec, other = (_JUDGEMENTS, _PRODUCTS) if is_judged else (_PRODUCTS, _JUDGEMENTS)
    missing = [name for name in _KEYS[source_spec.table] if name not in kinds]
    if missing:
        raise WarehouseError(f"{path} is not a delta file: it has no column {missing[0]}", f"it has {present}; {_HINT}")
    foreign = [name for name in other.columns if name in kinds and name not in (*source_spec.columns, *_ORDER)]
    if foreign:
        wants = "query_id is missing" if not is_judged else "put products and judgements into separate files"
        raise WarehouseError(
            f"{path} is a delta file neither of products nor of judgements: it has {present}", f"{wants}; {_HINT}"
        )
    return source_spec


def _check_columns(
    connection: duckdb.DuckDBPyConnection, path: Path, source_spec: SourceSpec, kinds: dict[str, str]
) -> None:
    """Refuse a column of another type, and a file with upserts that lacks a required column."""
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
                f"{path} has upserts but no column {missing[0]}",
                f"it has {', '.join(kinds)}; an upsert is a whole row: "
                f"only {', '.join(_OPTIONAL[source_spec.table])} may be left out",
            )


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".parquet" or file.read(len(_PARQUET)) == _PARQUET


def _source(path: Path) -> str:
    """Return the FROM clause that reads a delta file with its row numbers, its path bound as `$path`."""
    if _is_parquet(path):
        own = "COLUMNS(lambda name: name <> 'row')"  # of an undeclared name
        return f"(SELECT row_number() OVER () - 1 AS row, {own} FROM read_parquet($path))"
    return f"(SELECT row, json::JSON AS json FROM {_texts()})"


def _texts() -> str:
    """Return the FROM clause that reads the non-blank lines of a text, with row numbers."""
    is_row = "trim(line, concat(' ', chr(9), chr(13))) <> ''"
    return f"(SELECT row_number() OVER () - 1 AS row, line AS json FROM (SELECT line FROM {_LINES} WHERE {is_row}))"


def _column(path: Path, name: str) -> str:
    return f'"{name}"' if _is_parquet(path) else f"(json ->> {_place(name)})"


def _written(path: Path, name: str) -> str:
    """Return the SQL of a value as text; text is in quotes, and null is null."""
    if _is_parquet(path):
        return f'CASE WHEN typeof("{name}") = \'VARCHAR\' THEN to_json("{name}")::VARCHAR ELSE "{name}"::VARCHAR END'
    return f"nullif((json -> {_place(name)})::VARCHAR, 'null')"


def _place(name: str) -> str:
    return quote("$." + json.dumps(name))
