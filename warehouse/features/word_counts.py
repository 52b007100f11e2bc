"""Word counts: how many products have each word, and so how much a match of the word is worth."""

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.transform.words import words

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


def spellings(lake: Lake) -> pl.DataFrame:
    """Return the words of letters in titles, brands and colors, as they are written: locale, word, products (that have it).

    A word is in lower case and without accents, and of three letters or more in a script with upper and lower case.
    """
    with lake.reading() as connection:
        texts = connection.sql("SELECT locale, concat_ws(' ', title, brand, color) AS text FROM staging.products").pl()
    no_language = pl.Series([None], dtype=pl.String).new_from_index(0, texts.height)
    written = texts.select("locale", word=words(texts["text"], no_language).str.split(" ").list.unique()).explode(
        "word"
    )
    letters = written.filter(pl.col("word").str.contains(r"^[\p{Latin}\p{Greek}\p{Cyrillic}]{3,}$"))
    return letters.group_by("locale", "word").agg(products=pl.len().cast(pl.Int32)).sort("locale", "word")
