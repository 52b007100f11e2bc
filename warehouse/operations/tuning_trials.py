"""Trials: what tuning tried, kept as a table."""

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import Lake

TABLE = CONTRACTS["evaluation.trials"]


def record(lake: Lake, study: str, tried: pl.DataFrame) -> None:
    """Bring one study's rows in line with what it holds; nothing is written if they are.

    Args:
        lake: the home's lake.
        study: name of the study; it holds no quote.
        tried: trial, score, recall_at_10, mrr, best_epoch, alpha, settings, is_best.
    """
    rows = tried.with_columns(key=pl.format("{}:{}", pl.lit(study), "trial"), study=pl.lit(study)).select(
        *TABLE.columns
    )
    with lake.writing() as connection:
        tables.refresh_from(connection, TABLE, rows, f"study = '{study}'")
