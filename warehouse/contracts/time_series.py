"""Feature views: the declaration of a user's features, and the contract of the table derived from it.

The values of a feature view change with time, and hold for its `ttl_days`. A static feature view has neither `ttl_days` nor
an `event_time`: its values hold always.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any, Literal

import dataframely as dy
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from warehouse.contracts.contract import Contract, about, key_column

Entity = Literal["product", "query", "context"]

_NAME = r"^[a-z][a-z0-9_]{0,40}$"
_OWN = ("key", "entity_key", "event_time", "input_hash", "row", "as_of")

ColumnType = Literal["number", "text", "flag", "time", "list"]
TIME_SERIES, STATIC = "timeseries", "attributes"
"""The schemas of the tables of feature views: those whose values change with time, and static ones."""


def is_feature_view(table: str) -> bool:
    """Tell whether a lake table is one of a feature view."""
    return table.split(".")[0] in (TIME_SERIES, STATIC)


class FeatureViewColumn(BaseModel):
    """Declare one column of a feature view's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, description="Column of the file.")
    meaning: str = Field(min_length=1, description="Meaning of the column, with its unit.")
    tower: Literal["numeric", "categorical"] | None = Field(
        None, description="How the towers read the column; default: no tower reads it."
    )
    type: ColumnType | None = Field(
        None, description="Type of the values; default: text for a categorical column, else number."
    )
    rank: bool = Field(
        False, description="Whether the ranker reads the column, no text; only of a static view; true or false."
    )
    filter: bool = Field(
        False, description="Whether searches can filter by the column; only of a static view; true or false."
    )

    @property
    def holds(self) -> ColumnType:
        """Return the type of the column's values."""
        return self.type or ("text" if self.tower == "categorical" else "number")

    @model_validator(mode="after")
    def _check(self) -> "FeatureViewColumn":
        if self.name in _OWN:
            raise ValueError(f"the table has a column {self.name} of its own")
        if self.tower == "numeric" and self.type in ("text", "list"):
            raise ValueError(f"a {self.type} column cannot be numeric for the towers")
        if self.tower == "categorical" and self.type not in ("text", None):
            raise ValueError(f"a {self.type} column cannot be categorical for the towers")
        if self.rank and self.holds in ("text", "list"):
            raise ValueError(f"the ranker cannot read a {self.holds} column")
        return self


class FeatureView(BaseModel):
    """Declare a parquet file of features: their entity, and how long a value is valid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=_NAME, description="Name of the lake table, without its schema timeseries; attributes if it is static."
    )
    file: str = Field(min_length=1, description="Path of the parquet file; a relative path starts at the home.")
    entity: Entity = Field(description="Kind of thing that a row describes.")
    key: str | tuple[str, ...] | None = Field(
        None, description="Column with the entity's key, or the columns that form it; default: <entity>_key."
    )
    ttl_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="How long a value is valid after its event_time, in days; none: the view is static, for products only.",
    )
    columns: tuple[FeatureViewColumn, ...] = Field(min_length=1, description="Features in the file.")

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Return the columns of the file whose values, joined by a colon, form the entity's key."""
        return (self.key,) if isinstance(self.key, str) else self.key or (f"{self.entity}_key",)

    @property
    def is_static(self) -> bool:
        """Tell whether the values hold always, so that a row has no time."""
        return self.ttl_days is None

    @property
    def table(self) -> str:
        """Return the name of the lake table."""
        return f"{STATIC if self.is_static else TIME_SERIES}.{self.name}"

    @property
    def ttl_us(self) -> int:
        """Return the maximum age in microseconds; 0 for a static view."""
        return round((self.ttl_days or 0) * 86_400_000_000)

    @property
    def contract(self) -> "TimeSeriesContract":
        """Return the contract of the lake table."""
        members: dict[str, object] = {"__module__": __name__, **(self._static_keys if self.is_static else self._keys)}
        for column in self.columns:
            members[column.name] = _column(column.holds, about(column.meaning, column.tower))
        schema = type(self.table.title().translate({ord("."): None, ord("_"): None}), (dy.Schema,), members)
        return TimeSeriesContract(self.table, schema, self.model_dump_json())

    @property
    def _keys(self) -> dict[str, object]:
        days = f"{self.ttl_days:g} day{'' if self.ttl_days == 1 else 's'}"
        return {
            "__doc__": f"One row per {self.entity} and event_time; a value is valid for {days}.",
            "key": key_column("entity_key@event_time"),
            "entity_key": dy.String(nullable=False, min_length=1, metadata=about(f"key of the {self.entity}")),
            "event_time": dy.Datetime(
                nullable=False, time_unit="us", time_zone="UTC", metadata=about("time from which the values are valid")
            ),
        }

    @property
    def _static_keys(self) -> dict[str, object]:
        return {
            "__doc__": f"One row per {self.entity}; the values have no time and hold always.",
            "key": key_column(f"key of the {self.entity}"),
        }

    def origins(self, column: str) -> tuple[tuple[str, str], ...]:
        """Return the names of the files and of their columns that a column is read from."""
        return ((PurePath(self.file).name, column),)

    def feature(self, column: str) -> str:
        """Return the name of a column among the built-in features: `prices.price`."""
        return f"{self.name}.{column}"

    @model_validator(mode="after")
    def _check(self) -> "FeatureView":
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError("a column is declared twice")
        if not self.key_columns or not all(self.key_columns):
            raise ValueError("the key names no column")
        if self.is_static and self.entity != "product":
            raise ValueError(f"a feature view of the entity {self.entity} needs ttl_days")
        if not self.is_static and any(column.rank or column.filter for column in self.columns):
            raise ValueError("rank and filter need a static feature view, one without ttl_days")
        return self


def _column(holds: ColumnType, metadata: dict[str, Any]) -> dy.Column:
    if holds == "time":
        return dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=metadata)
    if holds == "list":
        return dy.List(dy.String(nullable=False), nullable=True, metadata=metadata)
    kinds: dict[str, type[dy.Column]] = {"number": dy.Float64, "text": dy.String, "flag": dy.Bool}
    return kinds[holds](nullable=True, metadata=metadata)


@dataclass(frozen=True)
class TimeSeriesContract(Contract):
    """Bind a schema to its table, with the declaration that it was made from, since it has no source code to digest."""

    declaration: str

    @cached_property
    def version(self) -> str:
        """Return a hash of the declaration."""
        return hashlib.sha256(self.declaration.encode()).hexdigest()[:8]


def _distinctly_named(tables: tuple[FeatureView, ...]) -> tuple[FeatureView, ...]:
    if len({table.name for table in tables}) < len(tables):
        raise ValueError("two feature views have the same name")
    return tables


FeatureViews = Annotated[tuple[FeatureView, ...], AfterValidator(_distinctly_named)]
"""All feature views that a home declares."""


def tower_columns(
    tables: tuple[FeatureView, ...], entities: tuple[Entity, ...], how: Literal["numeric", "categorical"]
) -> tuple[str, ...]:
    """Return the features of some entities that the towers read as numbers, or as categories."""
    return tuple(
        table.feature(column.name)
        for table in tables
        if table.entity in entities
        for column in table.columns
        if column.tower == how
    )


class RegistryFeatureViews(dy.Schema):
    """One row per declared feature view. Readers of the lake use these declarations instead of the settings."""

    key = key_column("name of the feature view")
    entity = dy.String(
        nullable=False, metadata=about("kind of thing that its rows describe: product, query or context")
    )
    ttl_days = dy.Float64(
        nullable=True,
        metadata=about("how long a value is valid after its event_time, in days; null: static, the values hold always"),
    )
    as_of = dy.Datetime(
        nullable=False,
        time_unit="us",
        time_zone="UTC",
        metadata=about("time for which product vectors and searches look up the features"),
    )
    declaration = dy.String(nullable=False, metadata=about("the declaration as JSON"))


class TrainingPointInTime(dy.Schema):
    """One row per judged pair and time-series table with a valid event at judged_at: the event that training uses.

    The event is the newest at or before judged_at, and not older than the ttl_days of the feature view.
    """

    key = key_column("pair_key:table")
    pair_key = dy.String(nullable=False, metadata=about("key in training.pairs"))
    table = dy.String(nullable=False, metadata=about("name of the time-series table"))
    event_key = dy.String(nullable=False, metadata=about("key in the time-series table"))
    judged_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("time of the judgement"))
    event_time = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", metadata=about("time from which the values are valid")
    )
    event_hash = dy.String(nullable=False, metadata=about("hash of the event's row"))
