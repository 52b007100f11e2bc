"""Contracts of the feature tables. A column with `tower` enters the model; adding a feature is a line here and one in its SQL."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class FeatureProducts(dy.Schema):
    """One row per product and locale: what is known of a product before any query."""

    key = key_column("locale:product_id")
    product_id = dy.String(nullable=False, metadata=about("the catalog's id"))
    locale = dy.String(nullable=False, metadata=about("marketplace", tower="categorical"))
    brand_key = dy.String(nullable=True, metadata=about("brand folded to compare", tower="categorical"))
    color_key = dy.String(nullable=True, metadata=about("color folded to compare", tower="categorical"))
    title_script = dy.String(
        nullable=True,
        metadata=about("script of most letters in the title: latin, kana, han, hangul, …", tower="categorical"),
    )
    title_chars = dy.Int32(nullable=False, metadata=about("characters in the title", tower="numeric"))
    title_words = dy.Int32(nullable=False, metadata=about("words in the title, split at white space", tower="numeric"))
    title_numbers = dy.Int32(nullable=False, metadata=about("runs of digits in the title", tower="numeric"))
    title_largest_number = dy.Int32(
        nullable=True, metadata=about("largest number in the title, of up to six digits", tower="numeric")
    )
    title_price = dy.Float64(
        nullable=True, metadata=about("first number in the title that a currency stands at, in that currency")
    )
    pack_count = dy.Float64(
        nullable=True,
        metadata=about("largest number of pieces that the title names: pack of 6, 12 pcs", tower="numeric"),
    )
    volume_ml = dy.Float64(
        nullable=True, metadata=about("largest volume in the title, in milliliters", tower="numeric")
    )
    weight_g = dy.Float64(nullable=True, metadata=about("largest weight in the title, in grams", tower="numeric"))
    length_cm = dy.Float64(
        nullable=True, metadata=about("largest length in the title, in centimeters", tower="numeric")
    )
    description_chars = dy.Int32(
        nullable=False, metadata=about("characters in the description, 0 if none", tower="numeric")
    )
    bullet_count = dy.Int32(nullable=False, metadata=about("bullet points, 0 if none", tower="numeric"))
    bullet_chars = dy.Int32(
        nullable=False, metadata=about("characters in the bullet points, 0 if none", tower="numeric")
    )
    completeness = dy.Float64(
        nullable=False,
        metadata=about("share of description, bullets, brand and color that are present", tower="numeric"),
    )
    has_brand_in_title = dy.Bool(nullable=False, metadata=about("whether the title names the brand", tower="numeric"))


class FeatureQueries(dy.Schema):
    """One row per query and locale: what is known of a query the moment it is typed."""

    key = key_column("locale:query_id")
    locale = dy.String(nullable=False, metadata=about("marketplace", tower="categorical"))
    query_brand = dy.String(
        nullable=True, metadata=about("longest brand of fitted.vocabulary that the query names", tower="categorical")
    )
    query_color = dy.String(
        nullable=True, metadata=about("longest color of fitted.vocabulary that the query names", tower="categorical")
    )
    query_script = dy.String(
        nullable=True,
        metadata=about("script of most letters in the query: latin, kana, han, hangul, …", tower="categorical"),
    )
    query_chars = dy.Int32(nullable=False, metadata=about("characters in the query", tower="numeric"))
    query_words = dy.Int32(nullable=False, metadata=about("words in the query, split at white space", tower="numeric"))
    query_numbers = dy.Int32(nullable=False, metadata=about("runs of digits in the query", tower="numeric"))
    has_brand = dy.Bool(nullable=False, metadata=about("whether the query names a known brand", tower="numeric"))
    has_color = dy.Bool(nullable=False, metadata=about("whether the query names a known color", tower="numeric"))
    has_negation = dy.Bool(
        nullable=False,
        metadata=about("whether the query excludes something: without, no, sin, なし, …", tower="numeric"),
    )


class FeaturePairs(dy.Schema):
    """One row per judged query and product: what the two texts have in common."""

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in features.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in features.products"))
    common_words = dy.Int32(nullable=False, metadata=about("distinct query words that stand in title, brand or color"))
    common_share = dy.Float64(nullable=False, metadata=about("common_words as a share of the distinct query words"))
    title_share = dy.Float64(
        nullable=False, metadata=about("common_words as a share of the distinct words of title, brand and color")
    )
    common_numbers = dy.Int32(nullable=False, metadata=about("distinct numbers of the query that stand in the title"))
    has_number_match = dy.Bool(
        nullable=False, metadata=about("whether the query has numbers and all of them stand in the title")
    )
    has_brand_match = dy.Bool(nullable=False, metadata=about("whether the query names the product's brand"))
    has_color_match = dy.Bool(nullable=False, metadata=about("whether the query names the product's color"))


class FittedVocabulary(dy.Schema):
    """One row per brand and color that a judged product of the train split bears.

    No row of validation or test moves it. A model keeps the one that it was trained with, and searches are answered over that.
    """

    key = key_column("kind:value")
    id = dy.Int64(nullable=False, metadata=about("number from 1 within its kind, by falling frequency, then by value"))
    kind = dy.String(nullable=False, metadata=about("brand or color"))
    value = dy.String(nullable=False, metadata=about("brand_key or color_key as in features.products"))
    products = dy.Int64(
        nullable=False, metadata=about("judged products of the train split that bear it: its frequency")
    )
    share = dy.Float64(nullable=False, metadata=about("products as a share of those that bear any value of its kind"))
