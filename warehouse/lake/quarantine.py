"""The quarantine: the refused rows of each table, reconciled like any other table."""

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake, scalar
from warehouse.lake.reconcile import Plan, plan

CONTRACT = CONTRACTS["quarantine.rows"]
_KEYS = 3
_COUNTS = (
    f'SELECT "table", rule, count(*) AS rows, list_sort(list(DISTINCT key))[:{_KEYS}] AS keys '
    f"FROM lake.{CONTRACT.table} {{}} GROUP BY ALL ORDER BY ALL"
)


def replace(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    violations: pl.DataFrame,
    keys: pl.DataFrame | None = None,
) -> Plan:
    """Replace the quarantined rows of `table` by the violations (key, rule, row), one row per violated rule.

    With `keys` (a frame, key) only the rows with these keys are replaced, otherwise all rows of the table.
    """
    tables.ensure(connection, CONTRACT)
    current = connection.execute(
        f'SELECT id AS key, key AS row_key, {INPUT_HASH} FROM quarantine.rows WHERE "table" = ?', [table]
    ).pl()
    if keys is not None:
        current = current.join(keys, left_on="row_key", right_on="key", how="semi")
    if current.is_empty() and violations.is_empty():
        nothing = current.select("key")
        return Plan(nothing, nothing, nothing)
    if INPUT_HASH not in violations.columns:
        violations = violations.with_columns(pl.lit("").alias(INPUT_HASH))
    connection.register("violations", violations)
    desired = connection.execute(
        'SELECT md5(to_json(row($table, key, rule, row, occurrence))::VARCHAR) AS id, $table AS "table", '
        f"key, rule, row, {INPUT_HASH} "
        "FROM (SELECT *, row_number() OVER (PARTITION BY key, rule, row) AS occurrence FROM violations)",
        {"table": table},
    ).pl()
    connection.unregister("violations")
    change = plan(desired.select(INPUT_HASH, key="id"), current)
    rows = desired.join(change.upsert, left_on="id", right_on="key", how="semi")
    tables.write(connection, CONTRACT, change, current.select("key", INPUT_HASH), [rows])
    return change


def add(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    violations: pl.DataFrame,
    settled: pl.DataFrame,
) -> Plan:
    """Add violations (key, rule, row) to the quarantine of `table`, each once.

    Rows with the keys in `settled`, which now have a valid row, are removed.
    """
    tables.ensure(connection, CONTRACT)
    changed_keys = pl.concat([violations.select("key"), settled.select("key")]).unique()
    connection.register("changed_keys", changed_keys)
    existing = connection.execute(
        f'SELECT key, rule, row, {INPUT_HASH} FROM {CONTRACT.table} WHERE "table" = ? AND key IN (FROM changed_keys)',
        [table],
    ).pl()
    connection.unregister("changed_keys")
    remaining = existing.join(settled, on="key", how="anti")
    new = (
        violations.with_columns(pl.lit("").alias(INPUT_HASH))
        .join(remaining, on=["key", "rule", "row"], how="anti")
        .unique()
    )
    return replace(connection, table, pl.concat([remaining, new.select(remaining.columns)]), keys=changed_keys)


def hashes(connection: duckdb.DuckDBPyConnection, table: str) -> pl.DataFrame:
    """Return the (key, input_hash) of the rows that `table` refused."""
    if not tables.exists(connection, CONTRACT.table):
        return pl.DataFrame(schema={"key": pl.String, INPUT_HASH: pl.String})
    return connection.execute(f'SELECT DISTINCT key, {INPUT_HASH} FROM quarantine.rows WHERE "table" = ?', [table]).pl()


def keys(connection: duckdb.DuckDBPyConnection, table: str) -> pl.DataFrame:
    """Return the keys of the rows that `table` refused, a frame (key)."""
    if not tables.exists(connection, CONTRACT.table):
        return pl.DataFrame(schema={"key": pl.String})
    return connection.execute(f'SELECT DISTINCT key FROM {CONTRACT.table} WHERE "table" = ?', [table]).pl()


def counts(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Return (table, rule, rows, keys) for everything in quarantine; `keys` holds the first few."""
    return connection.sql(_COUNTS.format("")).pl()


def added(lake: Lake, before: int, after: int) -> pl.DataFrame:
    """Return (table, rule, rows, keys) as `counts`, of the rows that are in quarantine as of `after` and not as of `before`."""
    with lake.comparing(before, after) as connection:
        had = tables.exists(connection, CONTRACT.table, "earlier")
        is_new = f"WHERE id NOT IN (SELECT id FROM earlier.{CONTRACT.table})" if had else ""
        return connection.sql(_COUNTS.format(is_new)).pl()


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return how many rows of `table` are in quarantine."""
    if not tables.exists(connection, CONTRACT.table):
        return 0
    return scalar(connection, f'SELECT count(*) FROM {CONTRACT.table} WHERE "table" = ?', [table])
