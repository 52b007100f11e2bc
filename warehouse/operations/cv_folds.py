"""Folds: the queries of a scratch lake divided by a hash of their text, one part at a time held out as its test split."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.operations.scratch_home import RecomputedHome

TABLE = CONTRACTS["evaluation.folds"]


@dataclass(frozen=True)
class FoldHome(RecomputedHome):
    """A recomputed home with its own models: a fold's model answers no search."""

    @property
    def models(self) -> Path:
        """Return the scratch directory of the folds' checkpoints."""
        return self.scratch / "models"

    @property
    def rankers(self) -> Path:
        """Return the scratch directory of the folds' rankers."""
        return self.scratch / "rankers"

    @property
    def encoders(self) -> Path:
        """Return the home's exported encoders."""
        return self.root / "models" / "encoders"


def hold_out(lake: Lake, fold: int, folds: int) -> None:
    """Make the queries of one fold (from 1) the test split of `staging.queries`, and all others train.

    A hash of locale and case-folded text assigns each query to a fold, so that equal texts are held out together. The other
    half of the hash selects the validation queries.

    Raises:
        WarehouseError: There are fewer than two folds, or the fold number is not from 1 to the number of folds.
    """
    if not (folds >= 2 and 1 <= fold <= folds):
        raise WarehouseError(
            f"fold {fold} of {folds} does not exist",
            "use at least 2 folds, and a fold number from 1 to the number of folds",
        )
    with lake.writing() as connection:
        connection.execute(tables.sql("cv_folds.hold_out"), {"fold": fold, "folds": folds})


def record(lake: Lake, measured: pl.DataFrame, folds: int, snapshot: int) -> None:
    """Replace the recorded metrics of the folds.

    Args:
        lake: The home's lake; nothing is written if the metrics are equal.
        measured: fold (0: pooled), locale, ranker, metric, value, low, high, queries.
        folds: The number of folds.
        snapshot: The checkpoint whose raw tables were divided.
    """
    key = pl.format("{}:{}:{}:{}", "fold", "locale", "ranker", "metric")
    rows = measured.with_columns(key=key, folds=pl.lit(folds), snapshot=pl.lit(snapshot)).select(*TABLE.columns)
    with lake.writing() as connection:
        tables.refresh_from(connection, TABLE, rows)
