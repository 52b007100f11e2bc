"""Contracts of the split and of the training tables."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class SplitsQueries(dy.Schema):
    """One row per query that training or evaluation uses, with its split.

    A train query is left out if a test query of the same locale has the same text, ignoring case. So no text of a test query
    is trained on.
    """

    key = key_column("locale:query_id")
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us"))
    query = dy.String(nullable=False, metadata=about("cleaned text of the query"))
    split = dy.String(
        nullable=False, metadata=about("train, validation (train queries drawn by a hash of their text) or test")
    )


class TrainingPairs(dy.Schema):
    """One row per judged query and product of a query in splits.queries, with the gain of its label and its split."""

    key = key_column("locale:query_id:product_id")
    query_key = dy.String(nullable=False, metadata=about("key in staging.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    locale = dy.String(nullable=False, metadata=about("locale of query and product"))
    query = dy.String(nullable=False, metadata=about("cleaned text of the query"))
    product_input_hash = dy.String(
        nullable=False, metadata=about("hash of the product's encoded text and its features")
    )
    query_input_hash = dy.String(nullable=False, metadata=about("hash of the query's features"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    gain = dy.Float64(nullable=False, metadata=about("gain of the label: E 1, S 0.1, C 0.01, I 0"))
    split = dy.String(
        nullable=False, metadata=about("train, validation (train queries drawn by a hash of their text) or test")
    )
    small_version = dy.Bool(
        nullable=False, metadata=about("whether the judgement is in the reduced set of harder queries (ESCI task 1)")
    )
    context_key = dy.String(nullable=True, metadata=about("key of the context of the judgement; null if it has none"))
    judged_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("time of the judgement"))


class TrainingNegatives(dy.Schema):
    """One row per train query and hard negative: a product near the query by the encoder that nobody judged relevant.

    Hard negatives are mined among all products of the query's locale. A product judged E, S or C is never one, nor is a product
    that scores nearly as high as the query's best Exact product (setting mining.positive_share). The table is empty while the
    setting mining.per_query is 0.
    """

    key = key_column("query_key:product_key")
    query_key = dy.String(nullable=False, metadata=about("key in splits.queries"))
    product_key = dy.String(nullable=False, metadata=about("key in staging.products"))
    rank = dy.Int64(
        nullable=False,
        min=1,
        metadata=about("rank of the product among all products of the locale by the encoder, from 1"),
    )
    score = dy.Float64(nullable=False, metadata=about("cosine of the encoder's vectors of query and product, -1 to 1"))
    positive_key = dy.String(nullable=False, metadata=about("key of the query's Exact product with the highest score"))
    positive_score = dy.Float64(nullable=False, metadata=about("score of that Exact product, -1 to 1"))
    label = dy.String(
        nullable=True, metadata=about("I if the product is judged Irrelevant for the query; null if it is not judged")
    )


class TrainingMining(dy.Schema):
    """One row per mining of training.negatives, of which only the last is stored: the products that each rule excluded."""

    key = key_column("always negatives")
    inputs = dy.String(nullable=False, metadata=about("digest of the pairs, products, encoder and settings"))
    queries = dy.Int64(nullable=False, metadata=about("number of train queries with mined products"))
    looked_at = dy.Int64(nullable=False, metadata=about("number of pairs of a query and one of its nearest products"))
    relevant = dy.Int64(
        nullable=False, metadata=about("number of these pairs excluded because they are judged E, S or C")
    )
    skipped = dy.Int64(
        nullable=False, metadata=about("number of the other pairs excluded because of their rank (setting mining.skip)")
    )
    too_close = dy.Int64(
        nullable=False,
        metadata=about("number of the other pairs excluded because of their score (setting mining.positive_share)"),
    )
    negatives = dy.Int64(
        nullable=False, metadata=about("number of hard negatives, at most mining.per_query for each query")
    )
