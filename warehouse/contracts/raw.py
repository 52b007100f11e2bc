"""Contracts of the raw tables: what came in, with the dataset's own column names, typed and checked."""

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import FIRST_TIME, LAST_TIME, about, key_column

_ID_CHARACTER = r"[^\s\p{Z}\p{Cc}\p{Cf}]"
ID = rf"^(?:{_ID_CHARACTER}(?:(?:{_ID_CHARACTER}| )*{_ID_CHARACTER})?)?$"
"""What an id looks like: visible characters and single spaces between them. That it is not empty is a rule of its own."""
MAX_ID_LENGTH = 256
"""The longest id, in characters."""

IN_FUTURE = "event_time_in_future"
"""The rule that an event_time is no later than the time at which its file was checked."""


def checked_at() -> dy.Datetime:
    """Declare when a file was checked: a row with a later event_time lay in the future, and was refused."""
    return dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("when the file was checked: its rows with a later event_time were refused"),
    )


class RawProducts(dy.Schema):
    """One row per product and locale, as it came in."""

    key = key_column("product_locale:product_id")
    product_id = dy.String(
        nullable=False,
        min_length=1,
        max_length=MAX_ID_LENGTH,
        regex=ID,
        metadata=about("the catalog's id; repeats across locales"),
    )
    product_locale = dy.String(nullable=False, regex="^[a-z]{2}$", metadata=about("marketplace: us, es, jp, …"))
    product_title = dy.String(nullable=False, metadata=about("title as written by the seller, dirt included"))
    product_description = dy.String(nullable=True, metadata=about("description, often HTML"))
    product_bullet_point = dy.String(nullable=True, metadata=about("bullet points, one a line"))
    product_brand = dy.String(nullable=True, metadata=about("brand as written by the seller"))
    product_color = dy.String(nullable=True, metadata=about("color as written by the seller"))

    @dy.rule()
    def product_title_blank(cls) -> pl.Expr:
        """A title has at least one character that is not white space."""
        return pl.col("product_title").str.strip_chars().str.len_bytes() > 0


class RawJudgements(dy.Schema):
    """One row per judged query and product: the examples file as it came in."""

    key = key_column("product_locale:query_id:product_id")
    example_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the judgement"))
    query = dy.String(nullable=False, metadata=about("what the shopper typed"))
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    product_id = dy.String(
        nullable=False, min_length=1, max_length=MAX_ID_LENGTH, regex=ID, metadata=about("the judged product")
    )
    product_locale = dy.String(nullable=False, regex="^[a-z]{2}$", metadata=about("marketplace of query and product"))
    esci_label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    small_version = dy.Int64(
        nullable=False, metadata=about("1 if the judgement is in the reduced, harder set (task 1)")
    )
    large_version = dy.Int64(nullable=False, metadata=about("1 if the judgement is in the full set"))
    split = dy.String(nullable=False, metadata=about("train or test, by query"))
    event_time = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("when the judgement was made; an optional column of the file"),
    )
    context_key = dy.String(
        nullable=True,
        metadata=about("in which context it was made, such as a group of shoppers; an optional column of the file"),
    )

    @dy.rule()
    def unknown_label(cls) -> pl.Expr:
        """A label is one of the four that ESCI knows."""
        return pl.col("esci_label").is_in(["E", "S", "C", "I"])

    @dy.rule()
    def unknown_split(cls) -> pl.Expr:
        """A split is train or test."""
        return pl.col("split").is_in(["train", "test"])

    @dy.rule()
    def query_blank(cls) -> pl.Expr:
        """A query has at least one character that is not white space."""
        return pl.col("query").str.strip_chars().str.len_bytes() > 0

    @dy.rule()
    def event_time_malformed(cls) -> pl.Expr:
        """A time that is given is one of the years 1 to 9999."""
        return pl.col("event_time").is_between(FIRST_TIME, LAST_TIME)


class RawSources(dy.Schema):
    """One row per query whose origin is known."""

    key = key_column("query_id as text")
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    source = dy.String(
        nullable=False, metadata=about("how the query was sampled: behavioral, negations, parse_pattern, …")
    )


class RawFiles(dy.Schema):
    """One row per source: the file that a raw or time-series table was last filled from."""

    key = key_column("the table")
    name = dy.String(nullable=False, metadata=about("file name"))
    sha256 = dy.String(nullable=False, regex="^[0-9a-f]{64}$", metadata=about("hash of the file's bytes"))
    size_bytes = dy.Int64(nullable=False, metadata=about("size of the file, in bytes"))
    rows = dy.Int64(nullable=False, metadata=about("rows in the file, bad ones included"))
    as_of = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("newest event_time of the deltas before it: what happened earlier and comes later is stale"),
    )
    after_delta = dy.Int64(
        nullable=True,
        metadata=about(
            "the last delta that had come in before it, 0 for none: a replay starts from the file and goes on after it"
        ),
    )
    checked_at = checked_at()
