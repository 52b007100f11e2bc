"""Feature encoding: turn feature columns into a tower's inputs, fitted on the train split and frozen with the model."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models.errors import ModelError
from models.settings import TowerSettings

_FEW_ROWS = 16
"""Most rows for which a dictionary is faster than a Polars expression; a search encodes one row."""

UNKNOWN = 0
"""Index of a missing value, and of one that was too rare in the train split."""


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """Name the columns that a tower reads; Boolean columns count as numeric."""

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns, numeric ones first."""
        return self.numeric + self.categorical


@dataclasses.dataclass(frozen=True)
class NumericScale:
    """Hold the scale that normalizes one numeric column, in the column's own unit."""

    median: float
    mean: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Hold the vocabulary of one categorical column, the train rows of each value, and the scale of log(1 + rows).

    The frequency of a value outside the vocabulary is 0.
    """

    values: tuple[str, ...]
    rows: tuple[int, ...]
    frequency: NumericScale

    def codes(self, values: pl.Series) -> npt.NDArray[np.int64]:
        """Return the index of each value, `UNKNOWN` for missing values and for those outside the vocabulary: (rows,)."""
        if len(values) > _FEW_ROWS:
            return _codes(values, self.values)
        return np.array([self._indices.get(value, UNKNOWN) for value in values.to_list()], dtype=np.int64)

    @functools.cached_property
    def log_rows(self) -> npt.NDArray[np.float64]:
        """Return log(1 + rows) by index, 0 for `UNKNOWN`: (values + 1,)."""
        return _log_rows(self.rows)

    @functools.cached_property
    def _indices(self) -> dict[str | None, int]:
        return {value: index for index, value in enumerate(self.values, UNKNOWN + 1)}


@dataclasses.dataclass(frozen=True)
class FeatureEncoder:
    """Normalize numeric columns and index categorical ones with values fitted once.

    A categorical column also enters as a number: how frequent its value is in the train split, as log(1 + rows).
    Rows are encoded independently.
    """

    spec: FeatureSpec
    scales: tuple[NumericScale, ...]
    vocabularies: tuple[Vocabulary, ...]
    numeric_limit: float

    @classmethod
    def fit(cls, frame: pl.DataFrame, spec: FeatureSpec, settings: TowerSettings) -> FeatureEncoder:
        """Fit medians, means, deviations and vocabularies on the rows of the train split.

        Raises:
            ModelError: A declared column is not in the frame or cannot be read as a number.
        """
        return cls(
            spec=spec,
            scales=tuple(_fit_scale(_numbers(frame, name)) for name in spec.numeric),
            vocabularies=tuple(
                _fit_vocabulary(_values(frame, name), settings.vocabulary_size, settings.vocabulary_minimum)
                for name in spec.categorical
            ),
            numeric_limit=settings.numeric_limit,
        )

    @property
    def numeric_width(self) -> int:
        """Return the width of the encoded numbers: a value and a missing flag for each column."""
        return 2 * len(self.spec.columns)

    @property
    def vocabulary_sizes(self) -> tuple[int, ...]:
        """Return the number of indices of each categorical column, including `UNKNOWN`."""
        return tuple(len(vocabulary.values) + 1 for vocabulary in self.vocabularies)

    def transform(self, frame: pl.DataFrame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return numeric (rows, 2 * columns) and categorical (rows, categorical columns).

        The first half of the numeric columns holds deviations from the mean, the second half flags of missing values.
        A missing number, NaN and infinity included, is read as the median. The frequencies of the categorical columns
        come after the numeric columns; a missing value has frequency 0 and is flagged.

        Raises:
            ModelError: A declared column is not in the frame or cannot be read as a number.
        """
        count = len(self.spec.columns)
        numeric = np.zeros((frame.height, 2 * count), dtype=np.float32)
        categorical = np.zeros((frame.height, len(self.spec.categorical)), dtype=np.int64)

        def put(
            position: int, numbers: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_], scale: NumericScale
        ) -> None:
            normalized = (numbers - scale.mean) / scale.deviation
            numeric[:, position] = np.minimum(np.maximum(normalized, -self.numeric_limit), self.numeric_limit)
            numeric[:, count + position] = missing

        for position, (name, scale) in enumerate(zip(self.spec.numeric, self.scales, strict=True)):
            numbers = _numbers(frame, name)
            missing = np.isnan(numbers)
            put(position, np.where(missing, scale.median, numbers), missing, scale)
        for position, (name, vocabulary) in enumerate(zip(self.spec.categorical, self.vocabularies, strict=True)):
            values = _values(frame, name)
            categorical[:, position] = vocabulary.codes(values)
            frequency = vocabulary.log_rows[categorical[:, position]]
            put(len(self.spec.numeric) + position, frequency, values.is_null().to_numpy(), vocabulary.frequency)
        return numeric, categorical

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted values as plain JSON values; `from_dict` restores them exactly."""
        return {
            "numeric": {
                name: dataclasses.asdict(scale) for name, scale in zip(self.spec.numeric, self.scales, strict=True)
            },
            "categorical": {
                name: dataclasses.asdict(vocabulary)
                for name, vocabulary in zip(self.spec.categorical, self.vocabularies, strict=True)
            },
            "numeric_limit": self.numeric_limit,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> FeatureEncoder:
        """Rebuild an encoder from the values of `to_dict`."""
        return cls(
            spec=FeatureSpec(numeric=tuple(state["numeric"]), categorical=tuple(state["categorical"])),
            scales=tuple(NumericScale(**scale) for scale in state["numeric"].values()),
            vocabularies=tuple(
                Vocabulary(tuple(one["values"]), tuple(one["rows"]), NumericScale(**one["frequency"]))
                for one in state["categorical"].values()
            ),
            numeric_limit=state["numeric_limit"],
        )


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise ModelError(
            f"the feature column {name!r} is not in the table",
            "declare only columns of the feature table, and give the tower that table",
        )
    return frame.get_column(name)


def _numbers(frame: pl.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return a numeric or Boolean column as (rows,), with NaN for values that are missing or not finite."""
    column = _column(frame, name)
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise ModelError(
            f"the feature column {name!r} is declared numeric but holds {column.dtype}",
            "declare the column categorical, or make it a number in the feature table",
        )
    numbers = np.array(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _values(frame: pl.DataFrame, name: str) -> pl.Series:
    return _column(frame, name).cast(pl.String)


def _fit_scale(numbers: npt.NDArray[np.float64]) -> NumericScale:
    present = numbers[~np.isnan(numbers)]
    if present.size == 0:
        return NumericScale(median=0.0, mean=0.0, deviation=1.0)
    deviation = float(present.std())
    # A constant column has no information: it becomes 0, and another value met later stays small.
    usable = math.isfinite(deviation) and deviation > 0
    return NumericScale(float(np.median(present)), float(present.mean()), deviation if usable else 1.0)


def _fit_vocabulary(values: pl.Series, size: int, minimum: int) -> Vocabulary:
    counts = (
        values.drop_nulls()
        .alias("value")
        .to_frame()
        .group_by("value")
        .agg(pl.len().alias("rows"))
        .filter(pl.col("rows") >= minimum)
        .sort(["rows", "value"], descending=[True, False])
        .head(size)
    )
    vocabulary, rows = tuple(counts["value"].to_list()), tuple(counts["rows"].to_list())
    return Vocabulary(vocabulary, rows, _fit_scale(_log_rows(rows)[_codes(values, vocabulary)]))


def _codes(values: pl.Series, vocabulary: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the index of each value, `UNKNOWN` for missing values and for those outside the vocabulary: (rows,)."""
    indices = list(range(UNKNOWN + 1, len(vocabulary) + 1))
    codes: npt.NDArray[np.int64] = values.replace_strict(
        list(vocabulary), indices, default=UNKNOWN, return_dtype=pl.Int64
    ).to_numpy()
    return codes


def _log_rows(rows: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return log(1 + rows) by index, 0 for `UNKNOWN`: (values + 1,)."""
    return np.log1p(np.array([0, *rows], dtype=np.float64))
