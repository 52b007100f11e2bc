"""Settings of the automation: how `stockroom ui` watches incoming/, when it trains and vacuums, when a table counts as stale."""

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(\*|(?P<first>\d{1,2})(-(?P<last>\d{1,2}))?)(/[1-9]\d?)?")


class AutomationSettings(BaseModel):
    """Set when runs start automatically, and after how long without a run tables and release count as stale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval_s: int = Field(
        4, ge=1, description="Least time between two looks into incoming/, in seconds; Dagster looks every 5 at most."
    )
    settle_s: float = Field(
        5.0, ge=0, description="How long a dropped file must be untouched before it counts as whole, in seconds."
    )
    attempts: int = Field(3, ge=1, description="Runs that are started for one batch of files while they fail, a count.")
    retry_s: float = Field(
        60.0, ge=0, description="Wait before a failed run is started again, in seconds; it doubles each time."
    )
    retrain_cron: str | None = Field(
        None,
        description="When to train again, as five cron fields in UTC (`0 3 * * 0`: Sundays at 03:00); none: only when "
        "someone turns the schedule on in the UI, then weekly.",
    )
    vacuum_cron: str | None = Field(
        None,
        description="When to run stockroom vacuum, as five cron fields in UTC; none: only when someone turns the "
        "schedule on in the UI, "
        "then nightly at 02:00.",
    )
    freshness_warn_h: float = Field(
        24.0,
        gt=0.02,
        description="Time since the last run from which on raw tables and release get a warning, in hours.",
    )
    freshness_fail_h: float = Field(
        168.0, gt=0.02, description="Time since the last run from which on raw tables and release are stale, in hours."
    )

    @field_validator("retrain_cron", "vacuum_cron")
    @classmethod
    def _is_cron(cls, cron: str | None) -> str | None:
        fields = cron.split() if cron is not None else []
        if cron is not None and not (len(fields) == len(_CRON) and all(map(_fits, fields, _CRON))):
            raise ValueError("cron has five fields of numbers: minute, hour, day of month, month, day of week")
        return cron

    @model_validator(mode="after")
    def _warns_first(self) -> "AutomationSettings":
        if self.freshness_warn_h >= self.freshness_fail_h:
            raise ValueError(
                f"freshness_warn_h {self.freshness_warn_h:g} must be less than freshness_fail_h {self.freshness_fail_h:g}"
            )
        return self


def _fits(field: str, bounds: tuple[int, int]) -> bool:
    """Tell whether a cron field is a list of `*`, numbers or ranges within the bounds, each with or without a step."""
    return all(
        (match := _CRON_PART.fullmatch(part))
        and all(bounds[0] <= int(number) <= bounds[1] for number in match.group("first", "last") if number)
        for part in field.split(",")
    )
