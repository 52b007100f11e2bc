"""The queue of posted deltas: folders of the home, so that what was acknowledged survives every kill.

`waiting/` has a folder for each posted file, named by the time and the id; it appears whole or not at all. `outcomes/` has the
outcome of each id. The outcome is written before the file goes.
"""

import json
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

FOLDER = "posted"
_ID = re.compile(r"[0-9a-f]{16}")
_MOST_OUTCOMES = 1_000
_DRAFT_S = 3_600.0  # a draft of this age is of a process that is gone


@dataclass(frozen=True)
class Posted:
    """A posted file that waits: its folder, its id and the path of the file."""

    folder: Path
    id: str
    path: Path

    @property
    def is_waiting(self) -> bool:
        """Tell whether it has no outcome yet."""
        return self.folder.exists()


class DeltaQueue:
    """Keep posted files until they are applied, and their outcomes. Processes may share a queue."""

    def __init__(self, home: Path) -> None:
        self._root = home / FOLDER
        self._drafts, self._waiting, self._outcomes = (self._root / name for name in ("drafts", "waiting", "outcomes"))

    def draft(self) -> Path:
        """Return the path of a new file to write a body to."""
        for folder in (self._drafts, self._waiting, self._outcomes):
            folder.mkdir(parents=True, exist_ok=True)
        folder = self._drafts / uuid4().hex
        folder.mkdir()
        return folder / "body"

    def put(self, draft: Path, name: str, digest: str) -> Posted:
        """Queue a written draft under a name; once this returns, the file survives a kill and a loss of power.

        Args:
            draft: The path from `draft`, written and closed.
            name: The name under which the file is applied.
            digest: The SHA-256 of its bytes, in hex.
        """
        path = draft.with_name(name)
        draft.rename(path)
        for each in (path, path.parent):
            _sync(each)
        own = identity(name, digest)
        folder = self._waiting / f"{time.time_ns():020}-{own}"
        path.parent.rename(folder)
        _sync(self._waiting)
        return Posted(folder, own, folder / name)

    def drop(self, draft: Path) -> None:
        """Forget a draft."""
        shutil.rmtree(draft.parent, ignore_errors=True)

    def waiting(self) -> list[Posted]:
        """Return the files that wait, in the order of their arrival."""
        waiting_files = []
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self._waiting)):
                folder = self._waiting / name
                with suppress(FileNotFoundError, StopIteration):
                    waiting_files.append(Posted(folder, name.rpartition("-")[2], next(folder.iterdir())))
        return waiting_files

    def count(self) -> int:
        """Return the number of files that wait."""
        try:
            return len(os.listdir(self._waiting))
        except FileNotFoundError:
            return 0

    def find(self, id: str) -> Posted | None:
        """Return the file of an id that waits, or None."""
        return next((each for each in self.waiting() if each.id == id), None)

    def finish(self, posted: Posted, outcome: dict[str, Any]) -> None:
        """Write the outcome of a file, then let the file go."""
        scratch = self._drafts / uuid4().hex
        scratch.mkdir(parents=True)
        draft = scratch / "outcome"
        draft.write_text(json.dumps(outcome, default=str), encoding="utf-8")
        _sync(draft)
        draft.rename(self._outcomes / f"{posted.id}.json")
        _sync(self._outcomes)
        posted.folder.rename(scratch / "file")
        _sync(self._waiting)
        shutil.rmtree(scratch, ignore_errors=True)

    def outcome(self, id: str) -> dict[str, Any] | None:
        """Return the outcome of the last file of an id; None for an unknown id."""
        if not _ID.fullmatch(id):
            return None
        try:
            outcome: dict[str, Any] = json.loads((self._outcomes / f"{id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return outcome

    def prune(self) -> None:
        """Remove old outcomes, and drafts of processes that are gone."""
        with suppress(FileNotFoundError):
            outcomes = sorted(self._outcomes.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            for path in outcomes[:-_MOST_OUTCOMES]:
                path.unlink(missing_ok=True)
            for path in self._drafts.iterdir():
                if time.time() - path.stat().st_mtime > _DRAFT_S:
                    shutil.rmtree(path, ignore_errors=True)


def identity(name: str, digest: str) -> str:
    """Return the id of a file from its name and the hash of its bytes, by which an apply knows it too: 16 hex digits."""
    return sha256(f"{name}\0{digest}".encode()).hexdigest()[:16]


def _sync(path: Path) -> None:
    """Write a file or the names in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
