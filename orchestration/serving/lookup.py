"""The lookup: returns by key the features that the live release was built with. It needs neither Dagster nor torch."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from warehouse.contracts.locales import normalized_key
from warehouse.errors import UnknownKeyError, WarehouseError
from warehouse.features import point_in_time
from warehouse.features.offline_store import Entity
from warehouse.home import Home
from warehouse.serving.release_log import Release

_MAX_NAMES = 3
_TABLES = {"product": "features.products", "query": "features.queries"}


class Lookup:
    """Look up features in the release that was live at opening or at the last refresh, or in `release`.

    Threads may share a lookup.

    `home` is a path, opened with the settings that hold for it, or an open home.

    Raises:
        WarehouseError: There is no release yet.
    """

    def __init__(self, home: Home | Path | str, release: Release | None = None) -> None:
        self._home = home if isinstance(home, Home) else open_home(load_settings(Path(home)))
        self.release = release or self._home.releases.require()

    def refresh(self) -> Release:
        """Use the release that is live now, and return the release."""
        self.release = release = self._home.releases.require()
        return release

    def products(self, keys: Sequence[str], at: datetime | None = None) -> list[dict[str, Any]]:
        """Return title, brand, color and all features of products, in the order of their keys (`locale:product_id`).

        Time-series features are named `table.column`. Each has the latest value at the release's as-of time. With `at` each
        has the latest value at that time, read from the lake, which takes much longer.

        Raises:
            WarehouseError: The release has no such product, or `at` is given and no feature view of products is declared.
        """
        return self.features("product", keys, at)

    def queries(self, keys: Sequence[str], at: datetime | None = None) -> list[dict[str, Any]]:
        """Return text and all features of judged queries, in the order of their keys (`locale:query_id`)."""
        return self.features("query", keys, at)

    def features(self, entity: Entity, keys: Sequence[str], at: datetime | None = None) -> list[dict[str, Any]]:
        """Return the features of products or of queries, by key."""
        release, keys = self.release, [normalized_key(key) for key in keys]
        rows = self._home.online.rows(entity, release.snapshot, keys)
        existing_rows = [row for row in rows if row is not None]
        if len(existing_rows) < len(rows):
            raise self._unknown(entity, release, [key for key, row in zip(keys, rows, strict=True) if row is None])
        return existing_rows if at is None else self._at(entity, release, existing_rows, at)

    def _at(self, entity: Entity, release: Release, rows: list[dict[str, Any]], at: datetime) -> list[dict[str, Any]]:
        keys = pl.DataFrame({"key": [row["key"] for row in rows]}, schema={"key": pl.String})
        time = pl.lit(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))
        with self._home.lake.reading(release.snapshot) as connection:
            frame = point_in_time.add_features(connection, keys, {entity: "key"}, time)
        if frame.width == 1:
            raise WarehouseError(
                f"release {release.release} has no time-series {entity} features, so a time has no effect",
                "look up without a time, or declare feature views, then build",
            )
        return [row | features for row, features in zip(rows, frame.iter_rows(named=True), strict=True)]

    def _unknown(self, entity: Entity, release: Release, keys: list[str]) -> UnknownKeyError:
        names = ", ".join(repr(key) for key in keys[:_MAX_NAMES]) + (
            f" and {len(keys) - _MAX_NAMES} more" * (len(keys) > _MAX_NAMES)
        )
        near_keys = self._home.online.near(entity, release.snapshot, keys[0])
        hint = f'list keys with: stockroom sql "SELECT key FROM {_TABLES[entity]} LIMIT 10"'
        return UnknownKeyError(
            f"release {release.release} has no {entity} {names}",
            f"did you mean {', '.join(near_keys)}?" if near_keys else hint,
        )
