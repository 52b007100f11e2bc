"""Freshness: the time after which the raw tables and the release count as stale."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.config.automation import AutomationSettings


def with_freshness(assets: Iterable[Any], settings: AutomationSettings) -> list[Any]:
    """Return the assets; raw tables and release become stale if no run has read them for long."""
    policy = dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=settings.freshness_fail_h), warn_window=timedelta(hours=settings.freshness_warn_h)
    )

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        has_policy = spec.key.path[0] in ("raw", "releases")
        return spec.replace_attributes(freshness_policy=policy) if has_policy else spec

    return list(dg.map_asset_specs(add, assets))
