"""The data dictionary: the contracts of all tables and features, as tables for SQL and `stockroom features`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.rules import rule_names
from warehouse.errors import WarehouseError
from warehouse.json_rows import json_rows
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.lake.reconcile import Plan

FEATURES = ("features.", "timeseries.", "attributes.")
"""The name prefixes of feature tables."""

_NO_FEATURES = ("entity_key", "event_time")  # the entity and time of a time-series row

EXAMPLES = 5
"""The number of example values per feature."""


def refresh(connection: duckdb.DuckDBPyConnection, contracts: Mapping[str, Contract] = CONTRACTS) -> dict[str, Plan]:
    """Bring registry.tables, registry.features and the comments of all columns in line with the contracts."""
    for contract in contracts.values():
        tables.describe(connection, contract)
    rows = {"registry.tables": table_rows(contracts), "registry.features": feature_rows(contracts)}
    return {table: tables.refresh_from(connection, CONTRACTS[table], frame) for table, frame in rows.items()}


def table_rows(contracts: Mapping[str, Contract]) -> pl.DataFrame:
    """Return the rows of registry.tables."""
    return _frame(
        "registry.tables",
        [
            {
                "table_name": table,
                "grain": contract.grain,
                "key_column": contract.key,
                "column_count": len(contract.columns),
                "rules": rule_names(contract),
                "description": contract.description,
                "source": tables.source_file(table),
            }
            for table, contract in contracts.items()
        ],
    )


def feature_rows(contracts: Mapping[str, Contract]) -> pl.DataFrame:
    """Return the rows of registry.features: all columns of the feature tables except keys and times."""
    return _frame(
        "registry.features",
        [
            {
                "feature": f"{table}.{name}",
                "table_name": table,
                "column_name": name,
                "type": contract.sql_type(name),
                "nullable": column.nullable,
                "meaning": contract.meaning(name),
                "tower": (column.metadata or {}).get("tower"),
                "rules": rule_names(contract, name),
                "source": tables.source_file(table),
            }
            for table, contract in contracts.items()
            if table.startswith(FEATURES)
            for name, column in contract.columns.items()
            if name not in (contract.key, *_NO_FEATURES)
        ],
    )


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in CONTRACTS[table].columns.items()})


def features(lake: Lake) -> pl.DataFrame:
    """Return registry.features, by table and column.

    Raises:
        WarehouseError: There is no lake, or no build has described its features yet.
    """
    with lake.reading() as connection:
        if not tables.exists(connection, "registry.features"):
            raise WarehouseError(
                "the lake does not describe its features yet", "write the descriptions with: stockroom build"
            )
        columns = ", ".join(CONTRACTS["registry.features"].columns)
        return connection.sql(f"SELECT {columns} FROM registry.features ORDER BY feature").pl()


def find(features: pl.DataFrame, name: str) -> dict[str, Any]:
    """Return the row of the feature `name`: schema.table.column, table.column, or the column alone if unambiguous.

    Raises:
        WarehouseError: There is no such feature, or there are several; the message names the matches or similar ones.
    """
    names = features["feature"].to_list()
    matches = [each for each in names if f".{each}".endswith(f".{name}")]
    if not matches:
        near = get_close_matches(name.split(".")[-1], features["column_name"].unique().sort().to_list(), cutoff=0.5)
        hint = f"similar features: {', '.join(near)}; " if near else ""
        raise WarehouseError(f"the feature {name} does not exist", f"{hint}list the features with: stockroom features")
    if len(matches) > 1:
        raise WarehouseError(
            f"{len(matches)} features have the name {name}", f"give one of the full names: {', '.join(matches)}"
        )
    return features.row(by_predicate=pl.col("feature") == matches[0], named=True)


def values(lake: Lake, table: str, column: str) -> dict[str, Any]:
    """Return statistics of a feature in the lake: rows, nulls, distinct values, and the most frequent ones as examples."""
    with lake.reading() as connection:
        counts = connection.execute(
            f'SELECT count(*), count(*) - count("{column}"), count(DISTINCT "{column}") FROM {table}'
        ).fetchone()
        examples = connection.execute(
            f'SELECT "{column}" FROM {table} WHERE "{column}" IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT {EXAMPLES}'
        ).pl()
    rows, nulls, distinct = counts or (0, 0, 0)
    return {
        "rows": rows,
        "nulls": nulls,
        "distinct": distinct,
        "examples": [row[column] for row in json_rows(examples)],
    }
