"""Settings of the warehouse: how much of the machine it may use and how it splits the data."""

from datetime import UTC, datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class WarehouseSettings(BaseModel):
    """Set the limits of the lake and of ingestion, and the split and times of the derived tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    DECISIVE: ClassVar[set[str]] = {"validation_percent", "judged_at", "as_of"}
    """The settings that determine the content of tables; the others determine only resources and limits."""

    memory_gb: float = Field(
        4.0, gt=0, description="Memory that DuckDB may use, in gigabytes; beyond that it spills to disk."
    )
    threads: int = Field(0, ge=0, description="Number of threads that DuckDB may use; 0: one per core.")
    batch_rows: int = Field(
        50_000, gt=0, description="Number of rows that are cleaned and validated at a time; bounds memory."
    )
    lock_timeout_s: float = Field(3600.0, gt=0, description="How long a writer waits for another, in seconds.")
    max_loss_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the rows of raw.products, raw.judgements or staging.products that one run may remove without "
        "--allow-loss, 0 to 1; a run that would leave no product is always refused.",
    )
    keep_files: bool = Field(
        True,
        description="Whether the last full snapshot and the deltas after it are archived in the home for replay; true or "
        "false.",
    )
    validation_percent: int = Field(
        15, ge=0, le=50, description="Share of the train queries that become validation queries, in percent."
    )
    judged_at: datetime = Field(
        datetime(2022, 6, 14, tzinfo=UTC),
        description="Time of a judgement without event_time, UTC; default: the publication of ESCI.",
    )
    as_of: datetime | None = Field(
        None,
        description="Time for which product vectors and searches look up time-series features, UTC; default: that of the "
        "newest judgement or event.",
    )


class SqlSettings(BaseModel):
    """Limit the resources of one query of `stockroom sql`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rows: int = Field(10_000, gt=0, description="Number of rows that a query may return.")
    memory_gb: float = Field(2.0, gt=0, description="Memory that a query may use, in gigabytes.")
    timeout_s: float = Field(60.0, gt=0, description="Time that a query may run, in seconds.")


class MonitoringSettings(BaseModel):
    """Set the bins of the feature statistics, and the drift thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bins: int = Field(10, ge=2, le=90, description="Number of bins for the values of a numeric feature.")
    top_values: int = Field(20, gt=0, description="Number of most frequent values that are recorded for a feature.")
    drift_notable: float = Field(
        0.1, gt=0, description="PSI from which on a feature is reported as drifted, a pure number."
    )
    drift_warning: float = Field(0.25, gt=0, description="PSI from which on the check warns, a pure number.")
    drift_min_rows: int = Field(
        200,
        gt=0,
        description="Number of rows that both versions must have for a PSI to be reported, since small samples always differ.",
    )


class ReleaseSettings(BaseModel):
    """Set the requirements of a new model and of the vector index before a release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate_margin: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Validation recall@10 that a new model may lose against the live model, 0 to 1: the lower bound of the "
        "difference's 95 % interval must be above minus this value.",
    )
    min_queries: int = Field(
        50,
        ge=1,
        description="Smallest number of queries for which a difference between two models gets an interval, by which the "
        "gate decides. Of models with 0.03 less recall that differ in a tenth of the queries, the gate would pass half at 10 "
        "queries, an eighth at 30 and a twentieth at 50.",
    )
    health_sample: int = Field(
        16,
        ge=2,
        description="Number of products of a vector table that are encoded again, and whose neighbors are searched for, before "
        "a release.",
    )
    max_unindexed_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of the rows of a vector table that may be outside its index, 0 to 1. If more rows are outside, or "
        "more than 25,000, a build or a reindex rebuilds the index; an apply only says so.",
    )
    min_recall: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Lowest recall@10 of the vector index against exact search, 0 to 1. There is no release if the recall of a "
        "sample is significantly lower.",
    )


class VacuumSettings(BaseModel):
    """Set the data that `stockroom vacuum` keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_releases: int = Field(
        5,
        ge=1,
        description="Number of newest releases that stay available for a rollback; releases with equal content count once.",
    )
    keep_checkpoints: int = Field(20, ge=1, description="Number of newest checkpoints that stay.")
    keep_runs: int = Field(1000, ge=1, description="Number of newest runs that stay in the run log.")
    keep_hours: float = Field(
        24.0, ge=0, description="How long unused releases, checkpoints and vectors stay, in hours."
    )
    grace_hours: float = Field(
        1.0,
        ge=0,
        description="How long old versions of vectors and embeddings stay, since an open search may read them, in hours.",
    )
