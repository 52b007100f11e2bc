"""Contracts of the raw tables: the ingested rows, with the column names of the dataset, typed and checked."""

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import FIRST_TIME, LAST_TIME, about, key_column
from warehouse.contracts.locales import LOCALE, MAX_LOCALE_LENGTH, WHOLE

_ID_CHARACTER = r"[^\s\p{Z}\p{Cc}\p{Cf}]"
ID = rf"^(?:{_ID_CHARACTER}(?:(?:{_ID_CHARACTER}| )*{_ID_CHARACTER})?)?$"
"""The form of an id: visible characters, and single spaces between them. Another rule refuses an empty id."""
MAX_ID_LENGTH = 256
"""The longest id, in characters."""

IN_FUTURE = "event_time_in_future"
"""The rule that an event_time is not after the check of its file."""


SEARCH_RULES = ("synonym", "pin", "boost", "hide")
"""The kinds of search rules."""


def checked_at() -> dy.Datetime:
    """Declare the column with the time at which a file was checked."""
    return dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("time at which the file was checked; rows with a later event_time were refused"),
    )


def locale_column(meaning: str) -> dy.String:
    """Declare the column with the locale of a row."""
    return dy.String(nullable=False, max_length=MAX_LOCALE_LENGTH, regex=LOCALE, metadata=about(meaning))


class RawProducts(dy.Schema):
    """One row per product and locale, as ingested."""

    key = key_column("product_locale:product_id")
    product_id = dy.String(
        nullable=False,
        min_length=1,
        max_length=MAX_ID_LENGTH,
        regex=ID,
        metadata=about("product id in the catalog; several locales may have the same id"),
    )
    product_locale = locale_column("locale in its normal form, such as us or en-us")
    product_title = dy.String(nullable=False, metadata=about("title as written by the seller, not cleaned"))
    product_description = dy.String(nullable=True, metadata=about("description, often HTML"))
    product_bullet_point = dy.String(nullable=True, metadata=about("bullet points, one per line"))
    product_brand = dy.String(nullable=True, metadata=about("brand as written by the seller"))
    product_color = dy.String(nullable=True, metadata=about("color as written by the seller"))

    @dy.rule()
    def product_locale_reserved(cls) -> pl.Expr:
        """The locale is not `all`, which in tables of figures means every locale."""
        return pl.col("product_locale") != WHOLE

    @dy.rule()
    def product_title_blank(cls) -> pl.Expr:
        """The title has at least one character that is not white space."""
        return pl.col("product_title").str.strip_chars().str.len_bytes() > 0


class RawJudgements(dy.Schema):
    """One row per judged query and product, as ingested from the examples file."""

    key = key_column("product_locale:query_id:product_id")
    example_id = dy.Int64(nullable=False, metadata=about("id of the judgement in the dataset"))
    query = dy.String(nullable=False, metadata=about("text of the query as typed by a shopper"))
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    product_id = dy.String(
        nullable=False, min_length=1, max_length=MAX_ID_LENGTH, regex=ID, metadata=about("id of the judged product")
    )
    product_locale = locale_column("locale of query and product, in its normal form")
    esci_label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    small_version = dy.Int64(
        nullable=False,
        metadata=about("1 if the judgement is in the reduced set of harder queries (ESCI task 1), else 0"),
    )
    large_version = dy.Int64(nullable=False, metadata=about("1 if the judgement is in the full set, else 0"))
    split = dy.String(nullable=False, metadata=about("train or test; the same for all judgements of a query"))
    event_time = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about("time of the judgement; the file may lack the column"),
    )
    context_key = dy.String(
        nullable=True,
        metadata=about(
            "key of the context of the judgement, such as a group of shoppers; the file may lack the column"
        ),
    )

    @dy.rule()
    def product_locale_reserved(cls) -> pl.Expr:
        """The locale is not `all`, which in tables of figures means every locale."""
        return pl.col("product_locale") != WHOLE

    @dy.rule()
    def unknown_label(cls) -> pl.Expr:
        """The label is E, S, C or I."""
        return pl.col("esci_label").is_in(["E", "S", "C", "I"])

    @dy.rule()
    def unknown_split(cls) -> pl.Expr:
        """The split is train or test."""
        return pl.col("split").is_in(["train", "test"])

    @dy.rule()
    def query_blank(cls) -> pl.Expr:
        """The query has at least one character that is not white space."""
        return pl.col("query").str.strip_chars().str.len_bytes() > 0

    @dy.rule()
    def event_time_malformed(cls) -> pl.Expr:
        """An event_time lies in the years 1 to 9999."""
        return pl.col("event_time").is_between(FIRST_TIME, LAST_TIME)


class RawSources(dy.Schema):
    """One row per query with a known source."""

    key = key_column("query_id as text")
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    source = dy.String(
        nullable=False, metadata=about("method by which the query was sampled: behavioral, negations, parse_pattern, …")
    )


def stripped(column: str) -> pl.Expr:
    """Return a column's text without surrounding blanks; missing text is empty."""
    return pl.col(column).str.strip_chars().fill_null("")


class RawSearchRules(dy.Schema):
    """One row per line of the file of search rules, as ingested.

    A blank query means every query, a blank locale every locale of the catalog.
    """

    key = key_column("search_rules.csv:line")
    line = dy.Int64(nullable=False, metadata=about("number of the line in the file, from 1 for the header"))
    rule = dy.String(nullable=False, metadata=about("kind of the rule: synonym, pin, boost or hide"))
    query = dy.String(nullable=True, metadata=about("query that the rule is for; blank: every query"))
    locale = dy.String(nullable=True, metadata=about("marketplace that the rule is for; blank: every one"))
    product = dy.String(nullable=True, metadata=about("key of a product, locale:product_id; for pin, boost and hide"))
    condition = dy.String(
        nullable=True, metadata=about("condition in SQL over the columns of a product; for boost and hide")
    )
    value = dy.String(
        nullable=True, metadata=about("pin: place, from 1; boost: factor; synonym: words to search for as well")
    )

    @dy.rule()
    def unknown_rule(cls) -> pl.Expr:
        """The rule is synonym, pin, boost or hide."""
        return pl.col("rule").str.strip_chars().is_in(SEARCH_RULES)

    @dy.rule()
    def query_missing(cls) -> pl.Expr:
        """A synonym is for a query."""
        return (stripped("rule") != "synonym") | (stripped("query") != "")

    @dy.rule()
    def locale_malformed(cls) -> pl.Expr:
        """A locale is a marketplace or a language tag; its case and hyphens do not matter."""
        return (stripped("locale") == "") | stripped("locale").str.to_lowercase().str.replace_all(
            "_", "-"
        ).str.contains(LOCALE)

    @dy.rule()
    def product_missing(cls) -> pl.Expr:
        """A pin names a product."""
        return (stripped("rule") != "pin") | (stripped("product") != "")

    @dy.rule()
    def product_or_condition_missing(cls) -> pl.Expr:
        """A boost or a hide names a product or a condition."""
        return ~stripped("rule").is_in(["boost", "hide"]) | (stripped("product") != "") | (stripped("condition") != "")

    @dy.rule()
    def product_not_allowed(cls) -> pl.Expr:
        """A synonym names no product."""
        return (stripped("rule") != "synonym") | (stripped("product") == "")

    @dy.rule()
    def condition_not_allowed(cls) -> pl.Expr:
        """A synonym or a pin names no condition, and no rule names both a product and a condition."""
        return (stripped("condition") == "") | (stripped("rule").is_in(["boost", "hide"]) & (stripped("product") == ""))

    @dy.rule()
    def value_not_a_place(cls) -> pl.Expr:
        """The value of a pin is a whole number from 1 to 1000."""
        place = stripped("value").cast(pl.Int64, strict=False)
        return (stripped("rule") != "pin") | place.is_between(1, 1_000).fill_null(False)

    @dy.rule()
    def value_not_a_factor(cls) -> pl.Expr:
        """The value of a boost is a number from 0.01 to 100."""
        factor = stripped("value").cast(pl.Float64, strict=False)
        return (stripped("rule") != "boost") | factor.is_between(0.01, 100.0).fill_null(False)

    @dy.rule()
    def value_missing(cls) -> pl.Expr:
        """The value of a synonym has words."""
        return (stripped("rule") != "synonym") | (stripped("value") != "")

    @dy.rule()
    def value_not_allowed(cls) -> pl.Expr:
        """A hide has no value."""
        return (stripped("rule") != "hide") | (stripped("value") == "")


class RawFiles(dy.Schema):
    """One row per raw or time-series table that is filled from a full file: the last ingested file."""

    key = key_column("name of the table")
    name = dy.String(nullable=False, metadata=about("file name"))
    sha256 = dy.String(nullable=False, regex="^[0-9a-f]{64}$", metadata=about("SHA-256 of the file's bytes"))
    size_bytes = dy.Int64(nullable=False, metadata=about("size of the file, in bytes"))
    rows = dy.Int64(nullable=False, metadata=about("number of rows in the file, including refused ones"))
    as_of = dy.Datetime(
        nullable=True,
        time_unit="us",
        time_zone="UTC",
        metadata=about(
            "newest event_time of the deltas before the file; a later delta row with an older event_time is late"
        ),
    )
    after_delta = dy.Int64(
        nullable=True,
        metadata=about(
            "sequence number of the last delta before the file, 0 for none; a replay ingests the file, then the later deltas"
        ),
    )
    checked_at = checked_at()
