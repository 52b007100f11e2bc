"""Settings of the warehouse: how much of the machine it may use and how it splits the data."""

from datetime import UTC, datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class WarehouseSettings(BaseModel):
    """Hold what the lake, the ingest and the SQL tables can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    DECISIVE: ClassVar[set[str]] = {"validation_percent", "judged_at", "as_of"}
    """Those that decide what stands in the tables; the others decide what it costs."""

    memory_gb: float = Field(
        4.0, gt=0, description="Memory that DuckDB may use, in gigabytes; it spills to disk beyond."
    )
    threads: int = Field(0, ge=0, description="Threads that DuckDB may use, a count; 0 means one for each core.")
    batch_rows: int = Field(50_000, gt=0, description="Rows cleaned and validated at a time, a count; bounds memory.")
    lock_timeout_s: float = Field(3600.0, gt=0, description="How long a writer waits for another, in seconds.")
    max_loss_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Rows of raw.products, raw.judgements or staging.products that one run may take out without --allow-loss, "
        "as a share of those there; a run that would leave none is always refused.",
    )
    keep_files: bool = Field(
        True,
        description="Whether the last full snapshot and the deltas after it are kept in the home, compressed, for "
        "replay; true or false.",
    )
    validation_percent: int = Field(
        15, ge=0, le=50, description="Share of the train queries carved out for validation, in percent of queries."
    )
    judged_at: datetime = Field(
        datetime(2022, 6, 14, tzinfo=UTC),
        description="Time that a judgement without event_time is taken to be made at, UTC; default: ESCI's publication.",
    )
    as_of: datetime | None = Field(
        None,
        description="Time as of which product vectors and searches look up time-series features, UTC; none: the time of the "
        "newest judgement.",
    )


class SqlSettings(BaseModel):
    """Bound what one query of `stockroom sql` may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rows: int = Field(10_000, gt=0, description="Rows that a query may return, a count.")
    memory_gb: float = Field(2.0, gt=0, description="Memory that a query may use, in gigabytes.")
    timeout_s: float = Field(60.0, gt=0, description="Time that a query may run, in seconds.")


class MonitoringSettings(BaseModel):
    """Say how features are counted, and from where on a movement is worth a warning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: int = Field(
        10, ge=2, le=90, description="Bins that the values of a numeric feature are divided into, a count."
    )
    top_values: int = Field(20, gt=0, description="Most frequent values kept of a feature, a count.")
    drift_notable: float = Field(
        0.1, gt=0, description="PSI from which on a feature is reported as moved, a pure number."
    )
    drift_warning: float = Field(0.25, gt=0, description="PSI from which on the check warns, a pure number.")
    drift_min_rows: int = Field(
        200,
        gt=0,
        description="Rows that both sides must have before a PSI is reported, a count: few rows always differ.",
    )


class ReleaseSettings(BaseModel):
    """Say what a new model and the vector index must hold before they go live."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate_margin: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Validation recall@10 that a new model may lose against the live one, as a share: the lower end of the "
        "difference's 95 % interval must lie above minus this.",
    )
    min_queries: int = Field(
        50,
        ge=1,
        description="Queries from which on a difference between two models has an interval and the gate judges by it, a count. "
        "Of models that find three in a hundred less, and differ in ten, the gate would let through every second at 10 queries, "
        "one in eight at 30 and one in twenty at 50.",
    )
    health_sample: int = Field(
        16,
        ge=2,
        description="Products of a vector table that are encoded again and whose neighbors are searched for before a release, "
        "a count.",
    )
    max_unindexed_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Rows of a vector table that may lie outside its index at a release, as a share; more, or more than 25,000, "
        "make the index anew.",
    )
    min_recall: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Recall@10 of the vector index against exact search below which, beyond doubt, there is no release, as a "
        "share.",
    )


class VacuumSettings(BaseModel):
    """Say what `stockroom vacuum` keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_releases: int = Field(
        5, ge=1, description="Newest releases that can be gone back to, a count; those that show the same count once."
    )
    keep_points: int = Field(20, ge=1, description="Newest checkpoints that stay, a count.")
    keep_runs: int = Field(1000, ge=1, description="Newest runs that the run log tells of, a count.")
    keep_hours: float = Field(
        24.0, ge=0, description="How long releases, checkpoints and vectors that nothing refers to stay, in hours."
    )
    grace_hours: float = Field(
        1.0,
        ge=0,
        description="How long versions of vectors and embeddings that an open search may still read stay, in hours.",
    )
