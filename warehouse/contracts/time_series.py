"""time-series features of the user's own: how they are declared, and the contract of each table that follows from it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import dataframely as dy
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from warehouse.contracts.contract import Contract, about, key_column

Entity = Literal["product", "query", "context"]

_NAME = r"^[a-z][a-z0-9_]{0,40}$"
_OWN = ("key", "entity_key", "event_time", "input_hash", "row", "as_of")
_TYPES: dict[str, type[dy.Column]] = {"number": dy.Float64, "text": dy.String, "flag": dy.Bool}


class FeatureViewColumn(BaseModel):
    """Declare one column of a file of time-series features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, description="Column of the file.")
    meaning: str = Field(min_length=1, description="What it means, with its unit.")
    tower: Literal["numeric", "categorical"] | None = Field(
        None, description="How it enters the towers; none: it can be queried and no more."
    )
    type: Literal["number", "text", "flag"] | None = Field(
        None, description="What it holds; default: text for a categorical column, a number for any other."
    )

    @property
    def holds(self) -> Literal["number", "text", "flag"]:
        """Return what the column holds."""
        return self.type or ("text" if self.tower == "categorical" else "number")

    @model_validator(mode="after")
    def _check(self) -> "FeatureViewColumn":
        if self.name in _OWN:
            raise ValueError(f"the name {self.name} is taken by the table itself")
        if self.tower == "numeric" and self.type == "text":
            raise ValueError("text cannot enter the towers as a number")
        return self


class FeatureView(BaseModel):
    """Declare a parquet file of time-series features: whom they are of, and how long a value counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME, description="The lake table is timeseries.<name>.")
    file: str = Field(min_length=1, description="Parquet file; a relative path is one in the home.")
    entity: Entity = Field(description="Whom a row speaks of.")
    key: str | tuple[str, ...] | None = Field(
        None, description="Column with the entity's key, or those that make it up; default: <entity>_key."
    )
    ttl_days: float = Field(gt=0, le=36_500, description="How long a value counts after its event_time, in days.")
    columns: tuple[FeatureViewColumn, ...] = Field(min_length=1, description="The file's features.")

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Return the columns of the file that make up the entity's key, joined by a colon."""
        return (self.key,) if isinstance(self.key, str) else self.key or (f"{self.entity}_key",)

    @property
    def ttl_us(self) -> int:
        """Return the maximum age in microseconds."""
        return round(self.ttl_days * 86_400_000_000)

    @property
    def contract(self) -> "TimeSeriesContract":
        """Return the contract of the lake table."""
        days = f"{self.ttl_days:g} day{'' if self.ttl_days == 1 else 's'}"
        members: dict[str, object] = {
            "__doc__": f"One row per {self.entity} and event_time; a value counts for {days} from then on.",
            "__module__": __name__,
            "key": key_column("entity_key@event_time"),
            "entity_key": dy.String(nullable=False, min_length=1, metadata=about(f"key of the {self.entity}")),
            "event_time": dy.Datetime(
                nullable=False, time_unit="us", time_zone="UTC", metadata=about("when the values came into force")
            ),
        }
        for column in self.columns:
            members[column.name] = _TYPES[column.holds](nullable=True, metadata=about(column.meaning, column.tower))
        schema = type("TimeSeries" + self.name.title().replace("_", ""), (dy.Schema,), members)
        return TimeSeriesContract(f"timeseries.{self.name}", schema, self.model_dump_json())

    def feature(self, column: str) -> str:
        """Return the name under which a column stands beside the features of the house: `prices.price`."""
        return f"{self.name}.{column}"

    @model_validator(mode="after")
    def _check(self) -> "FeatureView":
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError("a column is declared twice")
        if not self.key_columns or not all(self.key_columns):
            raise ValueError("the key names no column")
        return self


@dataclass(frozen=True)
class TimeSeriesContract(Contract):
    """Bind a declared schema to its table, and know its declaration by heart: there is no source to read."""

    declaration: str

    @cached_property
    def version(self) -> str:
        """Return a hash of the declaration."""
        return hashlib.sha256(self.declaration.encode()).hexdigest()[:8]


def _unlike(tables: tuple[FeatureView, ...]) -> tuple[FeatureView, ...]:
    if len({table.name for table in tables}) < len(tables):
        raise ValueError("two tables have one name")
    return tables


FeatureViews = Annotated[tuple[FeatureView, ...], AfterValidator(_unlike)]
"""All tables of time-series features that a home declares."""


def tower_columns(
    tables: tuple[FeatureView, ...], entities: tuple[Entity, ...], how: Literal["numeric", "categorical"]
) -> tuple[str, ...]:
    """Return the features of these entities that enter the towers as numbers or as categories."""
    return tuple(
        table.feature(column.name)
        for table in tables
        if table.entity in entities
        for column in table.columns
        if column.tower == how
    )


class RegistryFeatureViews(dy.Schema):
    """One row per declared table of time-series features, as the lake's readers need it: no settings are asked then."""

    key = key_column("the table's name")
    entity = dy.String(nullable=False, metadata=about("whom its rows speak of: product, query or context"))
    ttl_days = dy.Float64(nullable=False, metadata=about("how long a value counts after its event_time, in days"))
    as_of = dy.Datetime(
        nullable=False,
        time_unit="us",
        time_zone="UTC",
        metadata=about("the time as of which product vectors and searches look features up"),
    )
    declaration = dy.String(nullable=False, metadata=about("the whole declaration, as JSON"))


class TrainingPointInTime(dy.Schema):
    """One row per judged pair and time-series table that had a value in force at judged_at: the event that the model sees.

    The event is the newest one at or before judged_at, and no older than the table's maximum age.
    """

    key = key_column("pair_key:table")
    pair_key = dy.String(nullable=False, metadata=about("key in training.pairs"))
    table = dy.String(nullable=False, metadata=about("the time-series table"))
    event_key = dy.String(nullable=False, metadata=about("key in the time-series table"))
    judged_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("time of the judgement"))
    event_time = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", metadata=about("when the values came into force")
    )
    event_hash = dy.String(nullable=False, metadata=about("hash of the event's values"))
