"""Hard negatives in the lake: the inputs of mining, its results, and the digest of its inputs."""

from collections.abc import Mapping

import duckdb
import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake, scalar

NEGATIVES, MINING = CONTRACTS["training.negatives"], CONTRACTS["training.mining"]


def queries(lake: Lake, most: int) -> pl.DataFrame:
    """Return up to `most` train queries with an Exact product, drawn by hash and sorted by key: key, locale, query."""
    with lake.reading() as connection:
        return connection.execute(tables.sql("datasets.mining_queries"), {"queries": most}).pl()


def judgements(lake: Lake, queries: pl.DataFrame) -> pl.DataFrame:
    """Return the judgements of queries, including those of other ids with the same text: query_key, product_key, label."""
    with lake.reading() as connection:
        connection.register("mined_queries", queries)
        return connection.sql(tables.sql("datasets.mining_judgements")).pl()


def products(lake: Lake) -> pl.DataFrame:
    """Return every product's key, locale, title, brand and color, sorted by locale and key."""
    with lake.reading() as connection:
        return connection.sql(tables.sql("datasets.mining_products")).pl()


def versions(lake: Lake) -> tuple[str, str]:
    """Return the data versions of the inputs of mining: the pairs outside the test split, and the products."""
    with lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], "split IN ('train', 'validation')")
        return pairs, tables.fingerprint(connection, CONTRACTS["staging.products"])


def mined_from(lake: Lake) -> str | None:
    """Return the digest of the last mining's inputs; None if there was none."""
    with lake.reading() as connection:
        if not all(tables.exists(connection, contract.table) for contract in (NEGATIVES, MINING)):
            return None
        row = connection.sql("SELECT inputs FROM training.mining").fetchone()
    return str(row[0]) if row else None


def write(lake: Lake, negatives: pl.DataFrame, mining: pl.DataFrame) -> dict[str, Mapping[str, int]]:
    """Make both tables equal to these rows in one transaction, and return the counts of changes by table."""
    with lake.writing() as connection:
        return {
            contract.table: tables.refresh_from(connection, contract, frame).counts
            for contract, frame in ((NEGATIVES, negatives), (MINING, mining))
        }


def pairs(lake: Lake) -> pl.DataFrame:
    """Return the hard negatives: key, query_key, product_key, sorted by key."""
    with lake.reading() as connection:
        return connection.sql(tables.sql("datasets.negatives")).pl()


def relevant(connection: duckdb.DuckDBPyConnection) -> int:
    """Count the hard negatives that are judged E, S or C for their query or for a query of the same text."""
    return scalar(connection, tables.sql("consistency.relevant_negatives"))
