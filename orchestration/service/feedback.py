"""Feedback: what visitors were shown and did, in the form that a source of clicks reads. Nothing tells who they were."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.contracts.locales import normalized_key
from warehouse.errors import WarehouseError

_BYTES_PER_MB = 1_000_000


class FeedbackLog:
    """Append events to a file of JSON lines for each day, in `feedback/` of a home."""

    def __init__(self, home: Path, most_mb: float) -> None:
        self.folder = home / "feedback"
        self._most_mb = most_mb

    def keep(self, query: str, events: Iterable[tuple[str, str, int | None]]) -> int:
        """Append the events after one query: key of the product, kind of event, position. Return their number.

        The lines of a call are written at once, so that those of several processes do not mix.

        Raises:
            WarehouseError: A key is not locale:product_id, or the folder is full. Nothing was kept.
        """
        now = datetime.now(UTC)
        rows = [_row(query, key, kind, position, now) for key, kind, position in events]
        self.folder.mkdir(exist_ok=True)
        if sum(file.stat().st_size for file in self.folder.iterdir()) >= self._most_mb * _BYTES_PER_MB:
            hint = "move its older files away, or raise serve.max_feedback_mb"
            raise WarehouseError(f"{self.folder} has reached {self._most_mb:g} MB", hint)
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
        with (self.folder / f"{now:%Y-%m-%d}.jsonl").open("ab", buffering=0) as file:
            file.write(lines)
            os.fsync(file.fileno())
        return len(rows)


def _row(query: str, key: str, kind: str, position: int | None, now: datetime) -> dict[str, Any]:
    locale, colon, product_id = normalized_key(key).partition(":")
    if not (locale and colon and product_id):
        raise WarehouseError(f"{key!r} is no key of a product", "write a key as locale:product_id, such as us:B07XYZ")
    at = now.isoformat(timespec="milliseconds")
    return {
        "query": query,
        "locale": locale,
        "product_id": product_id,
        "event": kind,
        "event_time": at,
        "position": position,
    }
