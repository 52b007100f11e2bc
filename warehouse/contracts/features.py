"""Contracts of the feature tables. A new feature takes a line here and one in the SQL file; with `tower`, a tower reads it."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class FeatureProducts(dy.Schema):
    """One row per product and locale: features that depend on the product alone."""

    key = key_column("locale:product_id")
    product_id = dy.String(nullable=False, metadata=about("product id in the catalog"))
    locale = dy.String(nullable=False, metadata=about("marketplace, such as us", tower="categorical"))
    brand_key = dy.String(
        nullable=True, metadata=about("brand in lower case, letters and digits only", tower="categorical")
    )
    color_key = dy.String(
        nullable=True, metadata=about("color in lower case, letters and digits only", tower="categorical")
    )
    title_script = dy.String(
        nullable=True,
        metadata=about(
            "most frequent script of the title's letters: latin, kana, han, hangul, cyrillic or arabic",
            tower="categorical",
        ),
    )
    title_chars = dy.Int32(nullable=False, metadata=about("number of characters in the title", tower="numeric"))
    title_words = dy.Int32(
        nullable=False, metadata=about("number of words in the title, split at white space", tower="numeric")
    )
    title_numbers = dy.Int32(nullable=False, metadata=about("number of runs of digits in the title", tower="numeric"))
    title_largest_number = dy.Int32(
        nullable=True, metadata=about("largest number in the title, of up to six digits", tower="numeric")
    )
    title_price = dy.Float64(nullable=True, metadata=about("first price in the title, in the currency of the title"))
    pack_count = dy.Float64(
        nullable=True,
        metadata=about("largest number of pieces in the title, as in pack of 6 or 12 pcs", tower="numeric"),
    )
    volume_ml = dy.Float64(
        nullable=True, metadata=about("largest volume in the title, in milliliters", tower="numeric")
    )
    weight_g = dy.Float64(nullable=True, metadata=about("largest weight in the title, in grams", tower="numeric"))
    length_cm = dy.Float64(
        nullable=True, metadata=about("largest length in the title, in centimeters", tower="numeric")
    )
    description_chars = dy.Int32(
        nullable=False, metadata=about("number of characters in the description, 0 if there is none", tower="numeric")
    )
    bullet_count = dy.Int32(
        nullable=False, metadata=about("number of bullet points, 0 if there are none", tower="numeric")
    )
    bullet_chars = dy.Int32(
        nullable=False,
        metadata=about("number of characters in the bullet points, 0 if there are none", tower="numeric"),
    )
    completeness = dy.Float64(
        nullable=False,
        metadata=about(
            "share of description, bullet points, brand and color that are present, 0 to 1", tower="numeric"
        ),
    )
    has_brand_in_title = dy.Bool(
        nullable=False, metadata=about("whether the title contains the brand", tower="numeric")
    )


class FeatureQueries(dy.Schema):
    """One row per query and locale: features that depend on the query text and the fitted vocabulary alone."""

    key = key_column("locale:query_id")
    locale = dy.String(nullable=False, metadata=about("marketplace, such as us", tower="categorical"))
    query_brand = dy.String(
        nullable=True, metadata=about("longest brand of fitted.vocabulary in the query", tower="categorical")
    )
    query_color = dy.String(
        nullable=True, metadata=about("longest color of fitted.vocabulary in the query", tower="categorical")
    )
    query_script = dy.String(
        nullable=True,
        metadata=about(
            "most frequent script of the query's letters: latin, kana, han, hangul, cyrillic or arabic",
            tower="categorical",
        ),
    )
    query_chars = dy.Int32(nullable=False, metadata=about("number of characters in the query", tower="numeric"))
    query_words = dy.Int32(
        nullable=False, metadata=about("number of words in the query, split at white space", tower="numeric")
    )
    query_numbers = dy.Int32(nullable=False, metadata=about("number of runs of digits in the query", tower="numeric"))
    has_brand = dy.Bool(
        nullable=False, metadata=about("whether the query contains a brand of fitted.vocabulary", tower="numeric")
    )
    has_color = dy.Bool(
        nullable=False, metadata=about("whether the query contains a color of fitted.vocabulary", tower="numeric")
    )
    has_negation = dy.Bool(
        nullable=False,
        metadata=about("whether the query has a word of exclusion: without, no, sin, なし, …", tower="numeric"),
    )


class FeaturePairs(dy.Schema):
    """One row per judged query and product: the words and numbers that both texts have."""

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in features.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in features.products"))
    common_words = dy.Int32(nullable=False, metadata=about("number of distinct query words in title, brand or color"))
    common_share = dy.Float64(
        nullable=False, metadata=about("common_words as a share of the distinct query words, 0 to 1")
    )
    title_share = dy.Float64(
        nullable=False,
        metadata=about("common_words as a share of the distinct words of title, brand and color, 0 to 1"),
    )
    common_numbers = dy.Int32(
        nullable=False, metadata=about("number of distinct numbers of the query that are in the title")
    )
    has_number_match = dy.Bool(
        nullable=False, metadata=about("whether the query has numbers and the title has all of them")
    )
    has_brand_match = dy.Bool(nullable=False, metadata=about("whether the query contains the product's brand"))
    has_color_match = dy.Bool(nullable=False, metadata=about("whether the query contains the product's color"))


class FittedVocabulary(dy.Schema):
    """One row per brand and color of the judged products of the train split.

    Rows of validation and test do not affect the table. Each model has a copy of the table from its training, and searches
    use that copy.
    """

    key = key_column("kind:value")
    id = dy.Int64(
        nullable=False, metadata=about("number from 1 within the kind, by descending frequency, then by value")
    )
    kind = dy.String(nullable=False, metadata=about("brand or color"))
    value = dy.String(nullable=False, metadata=about("brand_key or color_key of features.products"))
    products = dy.Int64(
        nullable=False, metadata=about("number of judged products of the train split with this brand or color")
    )
    share = dy.Float64(
        nullable=False,
        metadata=about("products as a share of the judged train products with any value of the kind, 0 to 1"),
    )
