"""Word counts: how many products have each word, and so how much a match of the word is worth."""

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake

WORDS = CONTRACTS["fitted.words"]


def refresh(lake: Lake, *, keep: bool = False) -> dict[str, int]:
    """Count the words of the catalog in fitted.words; with `keep` only if the table is empty. Return the changes."""
    with lake.writing() as connection:
        tables.ensure(connection, WORDS)
        if keep and tables.count(connection, WORDS.table):
            return {"inserted": 0, "updated": 0, "deleted": 0}
        return tables.refresh(connection, WORDS).counts


def word_counts(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return the rows of fitted.words that a ranker is trained with: locale, word, weight."""
    with lake.reading(snapshot) as connection:
        return connection.sql(f"SELECT locale, word, weight FROM {WORDS.table} ORDER BY key").pl()
