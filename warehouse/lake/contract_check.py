"""Contract check: verify every rule of a table's contract, in memory that does not grow with the table."""

from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.rules import UNIQUE, row_schema, rules
from warehouse.lake.lake import scalar
from warehouse.wording import counted

EXAMPLE_KEYS = 5
"""The number of rows named per violated rule."""


@dataclass(frozen=True)
class Broken:
    """Hold a violated rule, the number of rows that break it, and some of their keys."""

    rule: str
    rows: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.keys) + (", …" if self.rows > len(self.keys) else "")
        return f"{self.rule}: {counted(self.rows, 'row')} ({names})"


def verify(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    batch_rows: int,
    since: int | None = None,
) -> list[Broken]:
    """Return the rules that rows of the contract's table break; none if the table is healthy.

    With `since`, only rows written after that snapshot are checked; of older files only the keys are read.

    SQL counts nulls and repeated keys; it reads no column twice and can spill to disk. Dataframely checks all other rules,
    `batch_rows` rows at a time, with only the columns that the rules need.
    """
    table = among = contract.table
    if since is not None:
        key = _quoted(contract.key)
        columns = {contract.key, *(rule_column for rule in rules(contract) for rule_column in rule.columns)}
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE verified AS SELECT {', '.join(map(_quoted, sorted(columns)))} FROM {table} "
            f"WHERE snapshot_id > {since}"
        )
        among = f"(SELECT {key} FROM {table} WHERE {key} IN (SELECT {key} FROM verified))"
        table = "verified"
    broken = [
        *_repeated(connection, contract, among),
        *_missing(connection, contract, table),
        *_row_rule_violations(connection, contract, table, batch_rows),
    ]
    if since is not None:
        connection.execute("DROP TABLE verified")
    return sorted(broken, key=lambda one: one.rule)


def _repeated(connection: duckdb.DuckDBPyConnection, contract: Contract, table: str) -> list[Broken]:
    """Count repeated keys: of n rows with one key, n - 1 are too many."""
    key = _quoted(contract.key)
    count = scalar(connection, f"SELECT count({key}) - count(DISTINCT {key}) FROM {table}")
    repeated = f"{key} IN (SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1)"
    return [Broken(UNIQUE, count, _keys(connection, _distinct(key, table, repeated)))] if count else []


def _missing(connection: duckdb.DuckDBPyConnection, contract: Contract, table: str) -> list[Broken]:
    """Count missing values."""
    key = _quoted(contract.key)
    required = {rule.name: _quoted(rule.columns[0]) for rule in rules(contract) if rule.is_not_null}
    counts = ", ".join(f"count(*) - count({column})" for column in required.values())
    row = connection.execute(f"SELECT {counts} FROM {table}").fetchone() or ()
    return [
        Broken(rule, count, _keys(connection, _distinct(key, table, f"{column} IS NULL")))
        for (rule, column), count in zip(required.items(), row, strict=True)
        if count
    ]


def _distinct(key: str, table: str, condition: str) -> str:
    return f"SELECT DISTINCT {key} FROM {table} WHERE {condition}"


def _row_rule_violations(
    connection: duckdb.DuckDBPyConnection, contract: Contract, table: str, batch_rows: int
) -> list[Broken]:
    """Check the rules that SQL does not cover, batch by batch, and add up the violations."""
    schema = row_schema(contract)
    if schema is None:
        return []
    broken: dict[str, tuple[int, pl.Series]] = {}
    columns = ", ".join(map(_quoted, schema.column_names()))
    for batch in connection.execute(f"SELECT {columns} FROM {table}").to_arrow_reader(batch_rows):
        _, failure = schema.filter(_frame(batch))
        for rule, count in failure.counts().items():
            rows, keys = broken.get(rule, (0, pl.Series(dtype=pl.String)))
            invalid_keys = failure.details().filter(pl.col(rule) == "invalid")[contract.key].cast(pl.String)
            broken[rule] = rows + count, pl.concat([keys, invalid_keys]).sort().head(EXAMPLE_KEYS)
    return [Broken(rule, rows, tuple(map(str, keys))) for rule, (rows, keys) in broken.items()]


def _keys(connection: duckdb.DuckDBPyConnection, keys_sql: str) -> tuple[str, ...]:
    return tuple(str(key) for (key,) in connection.execute(f"{keys_sql} ORDER BY ALL LIMIT {EXAMPLE_KEYS}").fetchall())


def _quoted(column: str) -> str:
    return f'"{column}"'


def _frame(batch: Any) -> pl.DataFrame:
    return pl.DataFrame(batch)
