"""The text that is encoded: what of a product and of a query becomes one vector."""

import polars as pl

TEXT_TEMPLATE = "title brand color/1"
"""Name and version of what `product_text` and `query_text` build. It is part of the encoder's fingerprint:
raise the version with every change of those two, so that no vector of the old text is taken for one of the new."""


def product_text(
    title: str | pl.Expr = "title", brand: str | pl.Expr = "brand", color: str | pl.Expr = "color"
) -> pl.Expr:
    """Join title, brand and colour with one space each; skip what is null or blank.

    A product that has none of them gets the empty text, never null: every product has a vector.

    Args:
        title: Column or expression of the title.
        brand: Column or expression of the brand.
        color: Column or expression of the colour.

    Returns:
        A string expression without nulls, named `text`.
    """
    parts = [pl.col(part) if isinstance(part, str) else part for part in (title, brand, color)]
    stripped = [part.str.strip_chars() for part in parts]
    present = [pl.when(part != "").then(part) for part in stripped]
    return pl.concat_str(present, separator=" ", ignore_nulls=True).alias("text")


def query_text(query: str) -> str:
    """Trim a query and make every run of white space one space, as staging does for products."""
    return " ".join(query.split())
