"""Input rules: rules that apply only when a row is ingested, in addition to its table's contract."""

from collections.abc import Collection
from datetime import datetime

import polars as pl

from warehouse.contracts.contract import LAST_TIME
from warehouse.contracts.tables.raw import IN_FUTURE
from warehouse.transform.text_cleaning import is_blank_when_cleaned

TITLE_BLANK = "product_title_blank_when_cleaned"
"""The rule that a title is not blank after cleaning, since staging would drop the product later."""


def ingest_rules(columns: Collection[str], checked_at: datetime) -> dict[str, pl.Expr]:
    """Return the rules for rows with these columns by name: expressions that are true, or null, for a valid row."""
    rules = {}
    if "event_time" in columns:
        time = pl.col("event_time")
        rules[IN_FUTURE] = (time <= checked_at) | (time > LAST_TIME)  # a later time is malformed
    if "product_title" in columns:
        is_plainly_blank = (
            pl.col("product_title").str.strip_chars().str.len_bytes() == 0
        )  # which is a rule of the contract
        rules[TITLE_BLANK] = is_plainly_blank | ~is_blank_when_cleaned("product_title")
    return rules
