"""The text template: the text of a product or a query that the encoder turns into a vector."""

import polars as pl

TEXT_TEMPLATE = "title brand color/1"
"""Name and version of the text of `product_text` and `query_text`. It is part of the encoder's fingerprint:
raise the version with every change of these functions, so that no vector of an old text is reused."""


def product_text(
    title: str | pl.Expr = "title", brand: str | pl.Expr = "brand", color: str | pl.Expr = "color"
) -> pl.Expr:
    """Join title, brand and color with one space each; skip null and blank parts.

    A product without any part gets the empty text, never null, so that every product has a vector.

    Args:
        title: Column or expression of the title.
        brand: Column or expression of the brand.
        color: Column or expression of the color.

    Returns:
        A string expression without nulls, named `text`.
    """
    parts = [pl.col(part) if isinstance(part, str) else part for part in (title, brand, color)]
    stripped = [part.str.strip_chars() for part in parts]
    present = [pl.when(part != "").then(part) for part in stripped]
    return pl.concat_str(present, separator=" ", ignore_nulls=True).alias("text")


def query_text(query: str) -> str:
    """Trim a query and replace every run of white space with one space, as staging does for products."""
    return " ".join(query.split())
