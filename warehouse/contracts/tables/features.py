"""Contracts of the feature tables. A new feature takes a line here and one in the SQL file; with `tower`, a tower reads it."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class FeatureProducts(dy.Schema):
    """One row per product and locale: features that depend on the product alone."""

    key = key_column("locale:product_id")
    product_id = dy.String(nullable=False, metadata=about("product id in the catalog"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us", tower="categorical"))
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
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us", tower="categorical"))
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
    """One row per judged query and product: how the query's words, numbers, amounts, brand and color fit the product.

    The ranker reads these columns. A search computes them for its candidates by the same SQL file. The title stands for title,
    brand and color, the body for bullet points and description. A word's weight is its inverse document frequency in
    fitted.words.
    """

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in features.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in features.products"))
    query_length = dy.Int32(nullable=False, metadata=about("number of distinct words in the query"))
    title_length = dy.Int32(nullable=False, metadata=about("number of words in title, brand and color"))
    text_score = dy.Float64(nullable=False, metadata=about("title_score + 0.3 body_score, by which the text leg ranks"))
    title_score = dy.Float64(nullable=False, metadata=about("BM25 of the query's words in the title"))
    body_score = dy.Float64(nullable=False, metadata=about("BM25 of the query's words in the body"))
    matched_share = dy.Float64(
        nullable=False, metadata=about("share of the distinct query words that title or body have, 0 to 1")
    )
    matched_weight = dy.Float64(nullable=False, metadata=about("the same share by the weight of the words, 0 to 1"))
    title_weight = dy.Float64(
        nullable=False, metadata=about("share by weight of the query words that the title has, 0 to 1")
    )
    body_weight = dy.Float64(
        nullable=False, metadata=about("share by weight of the query words that the body has, 0 to 1")
    )
    title_share = dy.Float64(
        nullable=False, metadata=about("query words that the title has, as a share of the title's words")
    )
    adjacent_share = dy.Float64(
        nullable=True,
        metadata=about(
            "share of the neighboring query words that are neighbors in the title; null with fewer than two words"
        ),
    )
    first_position = dy.Int32(
        nullable=True,
        metadata=about("position in the title of the first query word found there, from 1; null if none is"),
    )
    number_share = dy.Float64(
        nullable=True, metadata=about("share of the query's numbers that the title has; null if the query has none")
    )
    amount_share = dy.Float64(
        nullable=True,
        metadata=about("share of the query's amounts, such as 13 inch, that the title has; null if the query has none"),
    )
    has_phrase = dy.Bool(nullable=False, metadata=about("whether the title has all query words in their order"))
    has_first_word = dy.Bool(nullable=False, metadata=about("whether the title has the first query word"))
    has_last_word = dy.Bool(nullable=False, metadata=about("whether the title has the last query word"))
    has_other_amount = dy.Bool(
        nullable=False, metadata=about("whether the title has another amount of a measure that the query names")
    )
    brand_fit = dy.Int8(
        nullable=True,
        metadata=about(
            "1 if the product is of the query's brand, -1 if of another, 0 if it names none; null: none asked"
        ),
    )
    color_fit = dy.Int8(
        nullable=True,
        metadata=about("1 if the product has the query's color, -1 if another, 0 if it names none; null: none asked"),
    )


class FittedWords(dy.Schema):
    """One row per word in a title, brand or color of a locale, with its weight in a match.

    A build refreshes the table; an apply leaves it unchanged, so that a change of one product moves no score of another. Each
    ranker has a copy of the table from its training. The empty word stands for every word that no product has.
    """

    key = key_column("locale:word")
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us"))
    word = dy.String(
        nullable=False, metadata=about("word as in title_words of staging.products; empty: any other word")
    )
    products = dy.Int64(nullable=False, metadata=about("number of products with the word in title, brand or color"))
    weight = dy.Float64(nullable=False, metadata=about("inverse document frequency: rare words weigh more"))


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
