"""Contracts of the staging tables: cleaned text, one name for each thing, keys that join."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class StagingProducts(dy.Schema):
    """One row per product and locale, cleaned.

    Of several rows with one key the first in the file stays; the others are in quarantine.
    """

    key = key_column("locale:product_id")
    product_id = dy.String(nullable=False, metadata=about("the catalog's id; repeats across locales"))
    locale = dy.String(nullable=False, metadata=about("marketplace: us, es, jp, …"))
    title = dy.String(nullable=False, metadata=about("title without HTML, entities and odd white space; NFKC"))
    description = dy.String(nullable=True, metadata=about("description, cleaned like the title"))
    bullet_points = dy.String(nullable=True, metadata=about("bullet points, cleaned, one a line"))
    brand = dy.String(nullable=True, metadata=about("brand, cleaned, as people write it"))
    brand_key = dy.String(nullable=True, metadata=about("brand folded to compare: lower case, letters and digits only"))
    color = dy.String(nullable=True, metadata=about("color, cleaned, as people write it"))
    color_key = dy.String(nullable=True, metadata=about("color folded to compare: lower case, letters and digits only"))


class StagingQueries(dy.Schema):
    """One row per query and locale of which a product in staging is judged, cleaned.

    Where judgements of one query differ in text or split, the one with the smallest example_id speaks. Judgements of products
    that are not there have no say: a query that has no others is not here, and is not encoded.
    """

    key = key_column("locale:query_id")
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    locale = dy.String(nullable=False, metadata=about("marketplace: us, es, jp, …"))
    query = dy.String(nullable=False, metadata=about("what the shopper typed; NFKC, white space folded"))
    split = dy.String(nullable=False, metadata=about("train or test"))
    source = dy.String(nullable=True, metadata=about("how the query was sampled, where known"))


class StagingJudgements(dy.Schema):
    """One row per judged query and product that are both in staging."""

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in staging.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    locale = dy.String(nullable=False, metadata=about("marketplace of query and product"))
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    product_id = dy.String(nullable=False, metadata=about("the judged product"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    split = dy.String(nullable=False, metadata=about("train or test: that of the query"))
    small_version = dy.Bool(nullable=False, metadata=about("whether it belongs to the reduced, harder set (task 1)"))
    context_key = dy.String(nullable=True, metadata=about("in which context it was made, where it says so"))
    judged_at = dy.Datetime(
        nullable=False,
        time_unit="us",
        time_zone="UTC",
        metadata=about("time of the judgement: its event_time, else the setting judged_at"),
    )
