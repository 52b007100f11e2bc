"""Contracts of the staging tables: cleaned text, with uniform column names and keys."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class StagingProducts(dy.Schema):
    """One row per product and locale, with cleaned text."""

    key = key_column("locale:product_id")
    product_id = dy.String(
        nullable=False, metadata=about("product id in the catalog; several locales may have the same id")
    )
    locale = dy.String(nullable=False, metadata=about("locale in its normal form, such as us or en-us"))
    title = dy.String(
        nullable=False, metadata=about("title without HTML, entities and repeated white space, in Unicode NFKC")
    )
    description = dy.String(nullable=True, metadata=about("description, cleaned like the title"))
    bullet_points = dy.String(nullable=True, metadata=about("bullet points, cleaned like the title, one per line"))
    brand = dy.String(nullable=True, metadata=about("brand, cleaned like the title"))
    brand_key = dy.String(nullable=True, metadata=about("brand in lower case, letters and digits only, for comparison"))
    color = dy.String(nullable=True, metadata=about("color, cleaned like the title"))
    color_key = dy.String(nullable=True, metadata=about("color in lower case, letters and digits only, for comparison"))
    title_words = dy.String(
        nullable=False,
        metadata=about(
            "words of title, brand and color as the text index holds them: lower case, stemmed, between blanks"
        ),
    )
    body_words = dy.String(nullable=False, metadata=about("words of bullet points and description, like title_words"))
    amounts = dy.String(
        nullable=False,
        metadata=about("amounts in the title by measure, such as length_cm=33.02; empty if there are none"),
    )


class StagingQueries(dy.Schema):
    """One row per query and locale with at least one judged product in staging.products.

    Judgements of products that are not in staging.products are ignored. If the others differ in text or split, the judgement
    with the smallest example_id decides.
    """

    key = key_column("locale:query_id")
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    locale = dy.String(nullable=False, metadata=about("locale in its normal form, such as us or en-us"))
    query = dy.String(nullable=False, metadata=about("text of the query, cleaned like a title"))
    split = dy.String(nullable=False, metadata=about("train or test"))
    source = dy.String(nullable=True, metadata=about("method by which the query was sampled; null if unknown"))
    words = dy.String(nullable=False, metadata=about("words of the query, like title_words of staging.products"))
    amounts = dy.String(nullable=False, metadata=about("amounts in the query, like those of staging.products"))


class StagingJudgements(dy.Schema):
    """One row per judged query and product, if staging.queries and staging.products have both."""

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in staging.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    locale = dy.String(nullable=False, metadata=about("locale of query and product"))
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    product_id = dy.String(nullable=False, metadata=about("id of the judged product"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    split = dy.String(nullable=False, metadata=about("train or test, as in staging.queries"))
    small_version = dy.Bool(
        nullable=False, metadata=about("whether the judgement is in the reduced set of harder queries (ESCI task 1)")
    )
    context_key = dy.String(nullable=True, metadata=about("key of the context of the judgement; null if it has none"))
    judged_at = dy.Datetime(
        nullable=False,
        time_unit="us",
        time_zone="UTC",
        metadata=about("time of the judgement: its event_time, or the setting warehouse.judged_at if it has none"),
    )


class StagingSearchRules(dy.Schema):
    """One row per search rule and locale that it applies to, of the lines that passed every check."""

    key = key_column("search_rules.csv:line:locale")
    line_key = dy.String(nullable=False, metadata=about("key in raw.search_rules: file and line"))
    line = dy.Int64(nullable=False, metadata=about("number of the line in the file"))
    rule = dy.String(nullable=False, metadata=about("kind of the rule: synonym, pin, boost or hide"))
    locale = dy.String(nullable=False, metadata=about("marketplace that the rule applies to"))
    query = dy.String(nullable=True, metadata=about("query, cleaned like a title; null: every query"))
    query_words = dy.String(
        nullable=False, metadata=about("words of the query, like title_words of staging.products; empty: every query")
    )
    product_key = dy.String(nullable=True, metadata=about("key in staging.products; null: the rule has none"))
    condition = dy.String(
        nullable=True, metadata=about("condition in SQL over the columns of a product; null: the rule has none")
    )
    place = dy.Int64(nullable=True, metadata=about("place of a pinned product, from 1"))
    factor = dy.Float64(nullable=True, metadata=about("factor of a boost: the rank of the product is divided by it"))
    synonym = dy.String(nullable=True, metadata=about("words that a synonym searches for as well, as written"))
    synonym_words = dy.String(nullable=True, metadata=about("the same words, like title_words of staging.products"))
