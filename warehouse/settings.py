"""Settings of the warehouse: how much of the machine it may use and how it splits the data."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field


class WarehouseSettings(BaseModel):
    """Hold what the lake, the ingest and the SQL tables can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_gb: float = Field(
        4.0, gt=0, description="Memory that DuckDB may use, in gigabytes; it spills to disk beyond."
    )
    threads: int = Field(0, ge=0, description="Threads that DuckDB may use, a count; 0 means one for each core.")
    batch_rows: int = Field(50_000, gt=0, description="Rows cleaned and validated at a time, a count; bounds memory.")
    lock_timeout_s: float = Field(3600.0, gt=0, description="How long a writer waits for another, in seconds.")
    validation_percent: int = Field(
        15, ge=0, le=50, description="Share of the train queries carved out for validation, in percent of queries."
    )
    judged_at: datetime = Field(
        datetime(2022, 6, 14, tzinfo=UTC),
        description="Time that a judgement without event_time is taken to be made at, UTC; default: ESCI's publication.",
    )


class SqlSettings(BaseModel):
    """Bound what one query of `stockroom sql` may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rows: int = Field(10_000, gt=0, description="Rows that a query may return, a count.")
    memory_gb: float = Field(2.0, gt=0, description="Memory that a query may use, in gigabytes.")
    timeout_s: float = Field(60.0, gt=0, description="Time that a query may run, in seconds.")
