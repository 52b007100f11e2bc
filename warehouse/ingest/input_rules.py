"""Input rules: what a row has to keep only when it comes in, beside the rules of its table's contract."""

from collections.abc import Collection
from datetime import datetime

import polars as pl

from warehouse.contracts.contract import LAST_TIME
from warehouse.contracts.raw import IN_FUTURE
from warehouse.transform.text_cleaning import is_blank_when_cleaned

TITLE_BLANK = "product_title_blank_when_cleaned"
"""The rule that something is left of a title without its markup: such a product could not be shown, and would be lost later."""


def arrival_rules(columns: Collection[str], checked_at: datetime) -> dict[str, pl.Expr]:
    """Return the rules of rows with these columns by name: expressions that are true, or null, for a good row."""
    rules = {}
    if "event_time" in columns:
        time = pl.col("event_time")
        rules[IN_FUTURE] = (time <= checked_at) | (time > LAST_TIME)  # what is later than that is malformed
    if "product_title" in columns:
        is_plainly_blank = (
            pl.col("product_title").str.strip_chars().str.len_bytes() == 0
        )  # which is a rule of the contract
        rules[TITLE_BLANK] = is_plainly_blank | ~is_blank_when_cleaned("product_title")
    return rules
