"""Hard negatives: what mining reads of the lake, what it leaves there, and what they were mined from."""

from collections.abc import Mapping

import duckdb
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake, scalar

NEGATIVES, MINING = CONTRACTS["training.negatives"], CONTRACTS["training.mining"]


def queries(lake: Lake, most: int) -> pl.DataFrame:
    """Return the train queries with an Exact product, at most so many, drawn by hash: key, locale, query; by key."""
    with lake.reading() as connection:
        return connection.execute(tables.sql("read.mining_queries"), {"queries": most}).pl()


def judgements(lake: Lake, queries: pl.DataFrame) -> pl.DataFrame:
    """Return what is judged of these queries, also under another id of the same text: query_key, product_key, label."""
    with lake.reading() as connection:
        connection.register("mined_queries", queries)
        return connection.sql(tables.sql("read.mining_judgements")).pl()


def products(lake: Lake) -> pl.DataFrame:
    """Return every product's key, locale, title, brand and color; by locale and key."""
    with lake.reading() as connection:
        return connection.sql(tables.sql("read.mining_products")).pl()


def versions(lake: Lake) -> tuple[str, str]:
    """Return the data versions of what mining reads: the pairs outside test, and the products."""
    with lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], "split IN ('train', 'validation')")
        return pairs, tables.fingerprint(connection, CONTRACTS["staging.products"])


def mined_from(lake: Lake) -> str | None:
    """Return the digest of what the negatives were last mined from; None: never."""
    with lake.reading() as connection:
        if not all(tables.exists(connection, contract.table) for contract in (NEGATIVES, MINING)):
            return None
        row = connection.sql("SELECT inputs FROM training.mining").fetchone()
    return str(row[0]) if row else None


def write(lake: Lake, negatives: pl.DataFrame, mining: pl.DataFrame) -> dict[str, Mapping[str, int]]:
    """Reconcile both tables with these rows, in one transaction; return what changed in each."""
    with lake.writing() as connection:
        return {
            contract.table: tables.refresh_from(connection, contract, frame).counts
            for contract, frame in ((NEGATIVES, negatives), (MINING, mining))
        }


def pairs(lake: Lake) -> pl.DataFrame:
    """Return the hard negatives: key, query_key, product_key; by key."""
    with lake.reading() as connection:
        return connection.sql(tables.sql("read.negatives")).pl()


def relevant(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the hard negatives that are judged E, S or C for their query or for one of the same text."""
    return scalar(connection, tables.sql("integrity.relevant_negatives"))
