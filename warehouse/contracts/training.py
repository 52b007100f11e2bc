"""Contracts of the split and of the training tables."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class SplitsQueries(dy.Schema):
    """One row per query that is trained on or measured on, with its split.

    A train query whose text also stands in test of its locale is left out, so that no test query was ever trained on.
    """

    key = key_column("locale:query_id")
    locale = dy.String(nullable=False, metadata=about("marketplace"))
    query = dy.String(nullable=False, metadata=about("the cleaned query"))
    split = dy.String(nullable=False, metadata=about("train, validation (carved from train by query hash) or test"))


class TrainingPairs(dy.Schema):
    """One row per judged query and product, graded and split; what the model learns from and is measured on.

    The judgements of the queries in splits.queries.
    """

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in staging.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    locale = dy.String(nullable=False, metadata=about("marketplace of query and product"))
    query = dy.String(nullable=False, metadata=about("the cleaned query"))
    product_input_hash = dy.String(nullable=False, metadata=about("hash of the product's cleaned text and features"))
    query_input_hash = dy.String(nullable=False, metadata=about("hash of the query's features"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    gain = dy.Float64(nullable=False, metadata=about("ESCI gain of the label: E 1, S 0.1, C 0.01, I 0"))
    split = dy.String(nullable=False, metadata=about("train, validation (carved from train by query hash) or test"))
    small_version = dy.Bool(nullable=False, metadata=about("whether it belongs to the reduced, harder set (task 1)"))
    context_key = dy.String(nullable=True, metadata=about("in which context it was judged, where it says so"))
    judged_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("time of the judgement"))


class TrainingNegatives(dy.Schema):
    """One row per train query and hard negative: a product near it by the encoder that nobody judged relevant to it.

    Mined among all products of the query's locale, with a margin to its best Exact product; never one judged E, S or C.
    Empty while the setting mining.per_query is 0.
    """

    key = key_column("query_key:product_key")
    query_key = dy.String(nullable=False, metadata=about("key in splits.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    rank = dy.Int64(nullable=False, min=1, metadata=about("the product's rank in the locale's catalog by the encoder"))
    score = dy.Float64(nullable=False, metadata=about("cosine of query and product by the encoder"))
    positive_key = dy.String(nullable=False, metadata=about("the query's Exact product that is nearest by the encoder"))
    positive_score = dy.Float64(
        nullable=False, metadata=about("cosine of query and that product: the margin's measure")
    )
    label = dy.String(nullable=True, metadata=about("I if the product is judged Irrelevant, else null: not judged"))


class TrainingMining(dy.Schema):
    """One row per mining: what training.negatives were made from, and how many of the nearest products each rule left out."""

    key = key_column("negatives")
    inputs = dy.String(nullable=False, metadata=about("digest of pairs, products, encoder and settings"))
    queries = dy.Int64(nullable=False, metadata=about("train queries that were mined for"))
    looked_at = dy.Int64(nullable=False, metadata=about("nearest products that were looked at"))
    relevant = dy.Int64(nullable=False, metadata=about("left out of them: judged E, S or C"))
    skipped = dy.Int64(nullable=False, metadata=about("left out of the others: among the first mining.skip ranks"))
    too_close = dy.Int64(
        nullable=False, metadata=about("left out of the others: within the margin of the best Exact product")
    )
    negatives = dy.Int64(nullable=False, metadata=about("kept: at most mining.per_query a query"))
