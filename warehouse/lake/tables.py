"""Lake tables: created from their contract, filled by reconciliation, identified by a fingerprint of their content."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.errors import WarehouseError
from warehouse.lake.lake import quote, scalar
from warehouse.lake.reconcile import Plan, plan
from warehouse.wording import counted

_INPUT_HASH_MEANING = "hash of the inputs that the row was made from"
HASHES = {"key": pl.String, INPUT_HASH: pl.String}
"""Schema of a frame that maps row keys to input hashes."""


_PERMANENT = ("raw", "quarantine", "evaluation", "monitoring", "registry.snapshots", "registry.changes")
"""Schemas and tables that are not derived: raw input, quarantine, measurements and history."""


_RENAMED = {
    "system": "ranker",
    "overruled": "superseded",
    "stale": "late",
    **{f"{name}_catalogue_rank": f"{name}_catalog_rank" for name in ("model", "encoder", "bm25", "random", "previous")},
    "arrival": "sequence_number",
    "after_arrival": "after_delta",
}
"""The current name of each renamed column, by its name in an earlier format."""


REPLACED = ("training.queries",)
"""Derived tables of earlier formats that have another name in this format."""


class Written(NamedTuple):
    """Count the rows of a table that were inserted, updated (another row under the same key) and deleted."""

    inserted: int
    updated: int
    deleted: int


def data_version(rows: int, total: int) -> str:
    """Return the data version for a row count and a sum of row hashes, which is taken modulo 2^128."""
    return f"{rows}-{total % (1 << 128):032x}"


def rows_of(version: str) -> int:
    """Return the row count in a data version."""
    return int(version.split("-")[0])


def ensure(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create the contract's table, with its meanings as comments, or align the table's columns with the contract.

    If a column type differs, a derived table is dropped and recreated, and the rows of any other table are converted.
    Columns that the contract no longer declares are dropped from derived tables only. A meaning that alone is new is left to
    `describe`.

    Raises:
        WarehouseError: A value of a table that is not derived cannot be converted.
    """
    schema = contract.table.split(".")[0]
    declared = _declared_types(contract)
    if _types(connection, contract.table) == declared:
        return
    existing_columns = _rename_columns(
        connection, contract.table, declared, _present_columns(connection, contract.table)
    )
    present = {column: kind for column, kind, _ in existing_columns}
    other = [column for column, kind in declared.items() if present.get(column, kind) != kind]
    if other and is_derived(contract.table):
        connection.execute(f"DROP TABLE {contract.table}")
        present = {}
    elif other:
        _convert(connection, contract, {column: declared[column] for column in other})
    if not present:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in declared.items())
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(f"CREATE TABLE {contract.table} ({columns})")
        connection.execute(f"COMMENT ON TABLE {contract.table} IS {quote(contract.description)}")
    for column, kind in declared.items():
        if present and column not in present:
            connection.execute(f'ALTER TABLE {contract.table} ADD COLUMN "{column}" {kind}')
    if is_derived(contract.table):
        for column in present.keys() - declared.keys():
            connection.execute(f'ALTER TABLE {contract.table} DROP COLUMN "{column}"')
    describe(connection, contract)


def describe(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the comments of a table's columns the meanings in its contract."""
    comments = {column: comment for column, _, comment in _present_columns(connection, contract.table)}
    for column in _declared_types(contract).keys() & comments.keys():
        meaning = _INPUT_HASH_MEANING if column == INPUT_HASH else contract.meaning(column)
        if comments[column] != meaning:
            connection.execute(f'COMMENT ON COLUMN {contract.table}."{column}" IS {quote(meaning)}')


def _rename_columns(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    declared: Mapping[str, str],
    present: list[tuple[str, str, str | None]],
) -> list[tuple[str, str, str | None]]:
    """Rename the columns of an earlier format, and return the table's columns."""
    names = {column for column, _, _ in present}
    for old, new in _RENAMED.items():
        if old in names and new in declared and new not in names:
            connection.execute(f'ALTER TABLE {table} RENAME COLUMN "{old}" TO "{new}"')
            present = [(new if column == old else column, kind, comment) for column, kind, comment in present]
    return present


def is_derived(table: str) -> bool:
    """Tell whether a table can be rebuilt from other tables or local files; raw input and measurements cannot."""
    return table.split(".")[0] not in _PERMANENT and table not in _PERMANENT


def _convert(connection: duckdb.DuckDBPyConnection, contract: Contract, types: Mapping[str, str]) -> None:
    """Convert columns of a table to other types."""
    for column, kind in types.items():
        is_inconvertible = f'"{column}" IS NOT NULL AND TRY_CAST("{column}" AS {kind}) IS NULL'
        rows = scalar(connection, f"SELECT count(*) FROM {contract.table} WHERE {is_inconvertible}")
        if rows:
            raise WarehouseError(
                f"{counted(rows, 'value')} of {contract.table}.{column} in this home cannot be converted to {kind}, the "
                "current type",
                "use the version of Stockroom that made the home",
            )
    replaced = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in types.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE converted AS SELECT * REPLACE ({replaced}) FROM {contract.table}")
    connection.execute(f"DROP TABLE {contract.table}")
    connection.execute(f"CREATE TABLE {contract.table} AS FROM converted")
    connection.execute(f"COMMENT ON TABLE {contract.table} IS {quote(contract.description)}")
    connection.execute("DROP TABLE converted")


def no_rows(contract: Contract) -> pl.DataFrame:
    """Return an empty frame of the contract's columns, typed null so that it casts to any type."""
    return pl.DataFrame(schema=dict.fromkeys(contract.columns, pl.Null))


def _declared_types(contract: Contract) -> dict[str, str]:
    return {column: contract.sql_type(column) for column in contract.columns} | {INPUT_HASH: "VARCHAR"}


def _types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the type of each column of a table of the lake, by name; empty if there is no such table."""
    try:
        relation = connection.table(f"lake.{table}")
    except duckdb.CatalogException:
        return {}
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _present_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str, str | None]]:
    """Return the name, type and comment of each column of a table."""
    return connection.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = 'lake' AND schema_name = ? AND table_name = ?",
        table.split("."),
    ).fetchall()


def exists(connection: duckdb.DuckDBPyConnection, table: str, catalog: str = "lake") -> bool:
    """Tell whether a catalog, by default the lake, has the table."""
    try:
        connection.table(f"{catalog}.{table}")  # a list of all columns would take ten times as long
    except duckdb.CatalogException:
        return False
    return True


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of a lake table; empty if the table does not exist."""
    schema, name = table.split(".")
    query = (
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake' AND schema_name = ? AND table_name = ? "
        "ORDER BY column_index"
    )
    return [column for (column,) in connection.execute(query, [schema, name]).fetchall()]


def hashes(connection: duckdb.DuckDBPyConnection, contract: Contract, where: str = "true") -> pl.DataFrame:
    """Return the (key, input_hash) of the rows in the contract's table."""
    return connection.sql(f'SELECT "{contract.key}" AS key, {INPUT_HASH} FROM {contract.table} WHERE {where}').pl()


def write(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    change: Plan,
    current: pl.DataFrame,
    batches: Iterable[pl.DataFrame],
) -> Written:
    """Delete the obsolete rows and insert the batches: the rows of `change.upsert`, without refused ones.

    `current` (key, input_hash) holds the table's rows, or at least those that may be obsolete.
    """
    removed = delete_rows(connection, contract, change.obsolete, current)
    row_count = update_count = 0
    columns = ", ".join(f'"{column}"' for column in (*contract.columns, INPUT_HASH))
    for batch in batches:
        if batch.height:  # named, not registered: a registered frame would stay in memory until the transaction ends
            connection.execute(f"INSERT INTO {contract.table} BY NAME SELECT {columns} FROM batch")
            row_count += batch.height
            update_count += batch.join(removed, left_on=contract.key, right_on="key", how="semi").height
    return Written(row_count - update_count, update_count, removed.height - update_count)


def delete_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, keys: pl.DataFrame, current: pl.DataFrame
) -> pl.DataFrame:
    """Delete the rows with some keys (a frame, key), and return the rows of `current` (key, input_hash) that were deleted."""
    removed = current.join(keys, on="key", how="semi")
    if removed.height:
        connection.register("obsolete_keys", removed)
        connection.execute(f'DELETE FROM {contract.table} WHERE "{contract.key}" IN (SELECT key FROM obsolete_keys)')
        connection.unregister("obsolete_keys")
    return removed


def refresh(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    parameters: Mapping[str, object] | None = None,
) -> Plan:
    """Make the table equal to the result of its SQL file; write only the differences.

    A row's input hash is the hash of its content.
    """
    return _reconcile(connection, contract, sql(contract.table), parameters)


def refresh_by(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    source: str,
    parameters: Mapping[str, object] | None = None,
    where: str = "true",
) -> Plan:
    """Make the rows that match the SQL condition `where` equal to the result of the query `source`; write only the differences.

    The query returns the table's columns.
    """
    return _reconcile(connection, contract, source, parameters, where)


def refresh_from(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    frame: pl.DataFrame,
    where: str = "true",
) -> Plan:
    """Make the rows that match the SQL condition `where` equal to a frame of the table's columns; write only the differences."""
    connection.register("frame_rows", frame)
    change = _reconcile(connection, contract, "SELECT * FROM frame_rows", None, where)
    connection.unregister("frame_rows")
    return change


def _reconcile(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    source: str,
    parameters: Mapping[str, object] | None,
    where: str = "true",
) -> Plan:
    ensure(connection, contract)
    columns = ", ".join(f'"{column}"::{contract.sql_type(column)} AS "{column}"' for column in contract.columns)
    query = f"WITH typed AS (SELECT {columns} FROM ({source})) SELECT *, md5(to_json(typed)::VARCHAR) AS {INPUT_HASH} FROM typed"
    bound = dict(parameters or {}) or None
    current = hashes(connection, contract, where)
    if where == "true" and current.is_empty():  # an empty table needs no comparison, so no row is kept in memory
        connection.execute(f"INSERT INTO {contract.table} BY NAME {query}", bound)
        desired = hashes(connection, contract)
        change = plan(desired, current)
    else:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE desired AS {query}", bound)
        desired = connection.sql(f'SELECT "{contract.key}" AS key, {INPUT_HASH} FROM desired').pl()
        change = plan(desired, current)
        delete_rows(connection, contract, change.obsolete, current)
        if change.upsert.height == desired.height:  # in the order of the source, which a semi join would lose
            connection.execute(f"INSERT INTO {contract.table} BY NAME SELECT * FROM desired")
        elif change.upsert.height:
            connection.register("upsert_keys", change.upsert)
            connection.execute(
                f"INSERT INTO {contract.table} BY NAME "
                f'SELECT * FROM desired WHERE "{contract.key}" IN (SELECT key FROM upsert_keys)'
            )
            connection.unregister("upsert_keys")
        connection.execute("DROP TABLE desired")
    return change


def sql(table: str) -> str:
    """Return the SQL file of a table: `features.products` is `warehouse/sql/features/products.sql`."""
    return files("warehouse").joinpath(*_sql_path(table)).read_text(encoding="utf-8").rstrip().rstrip(";")


def source_file(table: str) -> str | None:
    """Return the path of a table's SQL file in the source tree; None if the table has none."""
    path = _sql_path(table)
    return "/".join(("warehouse", *path)) if files("warehouse").joinpath(*path).is_file() else None


def _sql_path(table: str) -> tuple[str, str, str]:
    schema, name = table.split(".")
    return "sql", schema, f"{name}.sql"


def fingerprint(
    connection: duckdb.DuckDBPyConnection, contract: Contract, where: str = "true", row_hash: str = INPUT_HASH
) -> str:
    """Return the data version of a table, or of the rows for which `where` holds, in hex.

    The version is the row count and the sum of the rows' MD5 hashes modulo 2^128. A row's hash is the MD5 of
    "key input_hash", read as a little-endian number; `row_hash` is SQL of a hash to take instead of input_hash.
    Equal content gives an equal fingerprint, independent of row order, snapshot and DuckDB version.
    """
    rows, high, low = connection.execute(  # the halves are summed separately: no type holds the sum of whole hashes
        "SELECT count(*), coalesce(sum((hash >> 64)::HUGEINT), 0), coalesce(sum((hash & $half)::HUGEINT), 0) FROM "
        f"(SELECT md5_number(concat(\"{contract.key}\", ' ', {row_hash})) AS hash FROM {contract.table} WHERE {where})",
        {"half": (1 << 64) - 1},
    ).fetchone() or (0, 0, 0)
    return data_version(int(rows), (int(high) << 64) + int(low))


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows in a table."""
    return scalar(connection, f"SELECT count(*) FROM {table}")
