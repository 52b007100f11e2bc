"""Trials: the table of tuning trials."""

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake

TABLE = CONTRACTS["evaluation.trials"]


def record(lake: Lake, study: str, tried: pl.DataFrame) -> None:
    """Make the stored rows of one study equal to these rows, and write only the differences.

    Args:
        lake: The home's lake.
        study: The name of the study, without quotes.
        tried: trial, score, recall_at_10, mrr, best_epoch, alpha, settings, is_best.
    """
    rows = tried.with_columns(key=pl.format("{}:{}", pl.lit(study), "trial"), study=pl.lit(study)).select(
        *TABLE.columns
    )
    with lake.writing() as connection:
        tables.refresh_from(connection, TABLE, rows, f"study = '{study}'")
