"""Table sync: make tables of one lake equal to those of another, by their full content, whatever their hashes say."""

from collections.abc import Iterable, Iterator

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.lake.reconcile import plan
from warehouse.lake.tables import Written

RAW_TABLES = (
    "raw.products",
    "raw.judgements",
    "raw.sources",
    "raw.search_rules",
    "raw.files",
    "raw.deltas",
    "raw.events",
)
"""The tables that a replay fills from files."""

DERIVED_TABLES = (
    "quarantine.rows",
    "staging.products",
    "staging.queries",
    "staging.judgements",
    "staging.search_rules",
    "splits.queries",
    "training.pairs",
    "training.point_in_time",
    "fitted.vocabulary",
    "fitted.words",
    "features.products",
    "features.queries",
    "features.pairs",
)
"""The tables that are derived from them."""


def sync(lake: Lake, rebuilt: Lake, names: Iterable[str] = (*RAW_TABLES, *DERIVED_TABLES)) -> dict[str, Written]:
    """Make tables equal to those of a rebuilt lake in one transaction; return the counts of changes by changed table.

    Rows are compared by their full content. Without differences nothing is written.
    """
    changed = {}
    with rebuilt.reading() as source, lake.writing() as connection:
        for contract in map(CONTRACTS.__getitem__, names):
            if tables.exists(source, contract.table):
                counts = _sync(source, connection, contract, lake.settings.batch_rows)
                if any(counts):
                    changed[contract.table] = counts
    return changed


def _sync(
    source: duckdb.DuckDBPyConnection, connection: duckdb.DuckDBPyConnection, contract: Contract, batch_rows: int
) -> Written:
    tables.ensure(connection, contract)
    current = _contents(connection, contract)
    change = plan(_contents(source, contract), current)

    def rows() -> Iterator[pl.DataFrame]:
        source.register("differing_keys", change.upsert)
        query = f'FROM {contract.table} WHERE "{contract.key}" IN (SELECT key FROM differing_keys)'
        yield from map(pl.DataFrame, source.sql(query).to_arrow_reader(batch_rows))
        source.unregister("differing_keys")

    return tables.write(connection, contract, change, current, rows() if change.upsert.height else ())


def _contents(connection: duckdb.DuckDBPyConnection, contract: Contract) -> pl.DataFrame:
    """Return (key, input_hash); the hash covers the row's full content, and is empty for a repeated key."""
    columns = ", ".join(f'"{name}"' for name in (*contract.columns, INPUT_HASH))
    return connection.sql(
        f"SELECT key, CASE WHEN count(*) = 1 THEN any_value(md5(to_json(content)::VARCHAR)) ELSE '' END AS {INPUT_HASH} "
        f'FROM (SELECT "{contract.key}" AS key, struct_pack({columns}) AS content FROM {contract.table}) GROUP BY key'
    ).pl()
