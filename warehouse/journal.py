"""The run journal: what each asset of each run did, one JSON line each, appended and never changed."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


class Journal:
    """Append facts about runs, and read back those of a run or of the last one.

    It stands beside the lake, so that a run in which nothing changed can say so without writing a snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, run_id: str, asset: str, facts: dict[str, Any]) -> None:
        """Add what an asset did in a run."""
        line = json.dumps({"run_id": run_id, "asset": asset, **facts}, sort_keys=True, default=str)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            torn = end > 0 and file.read(1) != b"\n"  # a killed run's last line must not swallow this one
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")

    def run(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the facts of one run by asset."""
        return {line["asset"]: line for line in self._lines() if line["run_id"] == run_id}

    def last(self) -> dict[str, dict[str, Any]]:
        """Return the facts of the run that wrote last, by asset; empty before the first run."""
        lines = list(self._lines())
        return self.run(lines[-1]["run_id"]) if lines else {}

    def has_ended_since(self, run_id: str, asset: str) -> bool:
        """Tell whether a run came to `asset` by itself, or another did after it: one that was killed is gone on with."""
        has_ended, by_itself = False, False
        for line in self._lines():
            is_of_run = line["run_id"] == run_id
            if line["asset"] == asset:
                has_ended, by_itself = True, by_itself or is_of_run
            elif is_of_run and not by_itself:
                has_ended = False
        return has_ended

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                with suppress(json.JSONDecodeError):  # the last line of a killed run may be torn
                    yield json.loads(line)
