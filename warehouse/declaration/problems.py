"""Problems: what is wrong with a value of a source file, with its place, so that all can be told at once."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

PROBLEM_SCHEMA = {
    "file": pl.String,
    "row": pl.Int64,  # from 0, in its file
    "column": pl.String,  # by meaning, such as title, or the name of an attribute
    "value": pl.String,  # as written
    "rule": pl.String,
}
"""The columns of a frame of problems: one row per refused value."""


@dataclass(frozen=True)
class Converted:
    """Hold what a source became.

    Attributes:
        path: parquet file with the columns of the raw table.
        problems: the refused values, a frame of `PROBLEM_SCHEMA`.
        notes: what was derived, counted or left out, a sentence each, without a period.
    """

    path: Path
    problems: pl.DataFrame
    notes: tuple[str, ...] = ()
