"""The run journal: one JSON line per asset and run, appended, and read from the end."""

import json
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 65_536


class Journal:
    """Append the metadata of runs, and read the metadata of one run.

    The journal is outside the lake, so that a run without changes can be recorded without a snapshot.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, run_id: str, asset: str, facts: dict[str, Any]) -> None:
        """Append the metadata of an asset in a run."""
        line = _json({"run_id": run_id, "asset": asset, **facts})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            torn = end > 0 and file.read(1) != b"\n"  # a killed run's last line must not swallow this one
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")

    def run(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the metadata of one run by asset."""
        lines: list[dict[str, Any]] = []
        for line in self._newest_first():
            if line["run_id"] == run_id:
                lines.append(line)
            elif lines:
                break  # runs do not overlap, so the lines of each are contiguous
        return {line["asset"]: line for line in reversed(lines)}

    def last(self) -> dict[str, dict[str, Any]]:
        """Return the metadata of the last run by asset; empty before the first run."""
        newest = next(self._newest_first(), None)
        return self.run(newest["run_id"]) if newest else {}

    def has_ended_since(self, run_id: str, asset: str) -> bool:
        """Tell whether a run reached `asset`, or a later run did, since later runs complete killed ones."""
        is_later = True
        for line in self._newest_first():
            is_of_run = line["run_id"] == run_id
            if line["asset"] == asset and (is_of_run or is_later):
                return True
            if is_of_run:
                is_later = False
            elif not is_later:
                return False
        return False

    def prune(self, keep: int, also: Collection[str] = (), *, dry_run: bool = False) -> int:
        """Delete all runs but the newest `keep` and those in `also`; return their number, also with `dry_run`.

        No run may write meanwhile. The file is replaced atomically; concurrent readers read the old one to its end.
        """
        runs = dict.fromkeys(line["run_id"] for line in self._newest_first())
        kept_runs = {*list(runs)[:keep], *also}
        removed_count = len(runs.keys() - kept_runs)
        if removed_count and not dry_run:
            kept_lines = [line for line in self._newest_first() if line["run_id"] in kept_runs]
            draft = self.path.with_name(f"{self.path.name}.tmp")
            draft.write_text("".join(f"{_json(line)}\n" for line in reversed(kept_lines)), encoding="utf-8")
            draft.replace(self.path)
        return removed_count

    def _newest_first(self) -> Iterator[dict[str, Any]]:
        """Yield the lines from the last to the first, and read the file only as far as needed."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            start, rest = file.seek(0, os.SEEK_END), b""
            while start > 0:
                length = min(_BLOCK_BYTES, start)
                start -= length
                file.seek(start)
                rest, *lines = (file.read(length) + rest).split(b"\n")
                yield from _whole(reversed(lines))
            yield from _whole([rest])


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, default=str)


def _whole(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):  # the last line of a killed run may be torn, within a letter too
            yield json.loads(line)
