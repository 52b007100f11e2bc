"""The declared: what the contracts say of every table and feature, as tables that SQL and `stockroom features` read."""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from warehouse import tables
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.rules import rule_names
from warehouse.reconcile import Plan

FEATURES = "features."
"""What the names of feature tables begin with."""


def refresh(connection: duckdb.DuckDBPyConnection, contracts: Mapping[str, Contract] = CONTRACTS) -> dict[str, Plan]:
    """Bring registry.tables and registry.features in line with the contracts."""
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
    """Return the rows of registry.features: all columns of the feature tables but their keys."""
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
            if name != contract.key
        ],
    )


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in CONTRACTS[table].columns.items()})
