"""Query slices: kinds of judged queries, so that a mean does not hide where a model is bad."""

import polars as pl

SLICES = ("brand", "length", "negation", "number")
"""Names of the slices, sorted; `slices_of` lists their parts."""


def slices_of(
    features: pl.DataFrame, judgements: pl.DataFrame, products: pl.DataFrame, vocabulary: pl.DataFrame
) -> pl.DataFrame:
    """Return the slices of judged queries: locale, query_id, slice and part, one row per query and slice.

    - brand: `seen` if the query or one of its Exact products names a brand of the model's vocabulary; else `unseen` if an
      Exact product has a brand; else `none`.
    - length: words of the query, `1-2`, `3-4` or `5+`.
    - negation and number: `yes` or `no`, whether the query contains one.

    Args:
        features: The query features that the model reads: key (locale:query_id), locale, has_brand, query_words, …
        judgements: Columns locale, query_id, product_id and label.
        products: Columns locale, product_id and brand_key.
        vocabulary: The model's fitted vocabulary: columns kind and value.
    """
    brands = vocabulary.filter(kind="brand").select(brand_key="value", is_known=pl.lit(value=True))
    exact = (
        judgements.filter(label="E")
        .join(products.select("locale", "product_id", "brand_key"), on=["locale", "product_id"])
        .filter(pl.col("brand_key").is_not_null())
        .join(brands, on="brand_key", how="left")
        .group_by(key=pl.format("{}:{}", "locale", "query_id"))
        .agg(is_known=pl.col("is_known").any())
    )
    words = pl.col("query_words")
    parts = features.join(exact, on="key", how="left", maintain_order="left").select(
        "locale",
        query_id=pl.col("key").str.split(":").list.last().cast(pl.Int64),
        brand=pl.when(pl.col("has_brand") | pl.col("is_known"))
        .then(pl.lit("seen"))
        .when(pl.col("is_known").is_not_null())
        .then(pl.lit("unseen"))
        .otherwise(pl.lit("none")),
        length=pl.when(words < 3).then(pl.lit("1-2")).when(words < 5).then(pl.lit("3-4")).otherwise(pl.lit("5+")),
        negation=_yes_or_no(pl.col("has_negation")),
        number=_yes_or_no(pl.col("query_numbers") > 0),
    )
    return parts.unpivot(SLICES, index=["locale", "query_id"], variable_name="slice", value_name="part")


def _yes_or_no(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(pl.lit("yes")).otherwise(pl.lit("no"))
