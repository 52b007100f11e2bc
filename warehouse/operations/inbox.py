"""Inbox: sort the delta files in the incoming folder."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from warehouse.conversion.number_text import DecimalSigns
from warehouse.declaration.source import Sources
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import list_checkpoints
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile, check_deltas
from warehouse.ingest.delta_rows import check_rows
from warehouse.ingest.deltas import DELTAS
from warehouse.ingest.late_events import FILES
from warehouse.ingest.rules_file import check_rules_file
from warehouse.ingest.sources import SEARCH_RULES, InputFile
from warehouse.lake.tables import exists
from warehouse.sources.prepared import decimal_signs

DONE, FAILED = "done", "failed"
REASON = ".reason.txt"
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
"""Name endings of unfinished files, which programs rename once they are complete; a leading dot marks one too."""

_CHECK_MEMORY_GB = 1.0
_CHECK_ROWS = 10_000


class _State(NamedTuple):
    """Identify the content of a path; a move within the file system does not change it."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Dropped:
    """A file in the folder at the time of listing; the kernel sets `changed_ns` at any change."""

    path: Path
    state: _State
    changed_ns: int


@dataclass(frozen=True)
class Waiting:
    """List the files in the folder: the `whole` ones in order of ingestion, and the others."""

    whole: tuple[Dropped, ...] = ()
    unsettled: tuple[Dropped, ...] = ()

    @property
    def digest(self) -> str:
        """Return 16 hex digits of the hash of the names, sizes and times of the whole files, in order."""
        states = [(file.path.name, *file.state, file.changed_ns) for file in self.whole]
        return sha256(repr(states).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Sorting:
    """Hold the files in the folder by outcome.

    `batch` are the files to ingest, in order. `done` and `failed` (reason by name) were moved to those folders. `unsettled`
    may still be written to. All but `batch` are names.
    """

    batch: tuple[DeltaFile | InputFile, ...] = ()
    done: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()


def candidates(folder: Path) -> list[Dropped]:
    """Return the files in order of ingestion, by modification time, then by name.

    Hidden files, temporary names and folders are excluded.
    """
    files = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.name.startswith(".") or path.name.endswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):  # removed meanwhile, or a broken link
                stat = path.stat()
                if S_ISREG(stat.st_mode):
                    files.append(Dropped(path, _state(stat), stat.st_ctime_ns))
    return sorted(files, key=lambda file: (file.state.mtime_ns, file.path.name))


def _state(stat: os.stat_result) -> _State:
    return _State(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def waiting(folder: Path, settle_s: float) -> Waiting:
    """Return the waiting files, by their names, sizes and times alone, without reading them.

    A file is whole if its change time, which no program can set back, is at least `settle_s` seconds old by the clock of
    its own file system, and if no visible process has it open for writing.
    """
    dropped = candidates(folder)
    if not dropped:
        return Waiting()
    now_ns, open_files = _now_ns(folder), _open_for_writing({(file.state.device, file.state.inode) for file in dropped})
    whole = tuple(
        file
        for file in dropped
        if (now_ns - file.changed_ns) / 1e9 >= settle_s and (file.state.device, file.state.inode) not in open_files
    )
    return Waiting(whole, tuple(file for file in dropped if file not in whole))


def sort_incoming(home: Home, settle_s: float) -> Sorting:
    """Move ingested files to done/ and invalid ones to failed/, and return the files to ingest.

    Only whole files are sorted: see `waiting`. Each is checked by itself and read to its end. A file is done once a run that
    ingested it, by name and hash, has published.

    The caller excludes other runs and other callers meanwhile.
    """
    files = waiting(home.incoming, settle_s)
    published = _published(home) if files.whole else set()
    batch: list[DeltaFile | InputFile] = []
    done: list[str] = []
    failed: dict[str, str] = {}
    signs = decimal_signs(home.prepared_sources)
    for file in files.whole:
        try:
            delta = _checked(file, home.sources, signs)
        except WarehouseError as error:
            reason = str(error)
        except OSError as error:
            reason = f"{file.path} cannot be read: {error.strerror}"
        else:
            if delta.identity not in published:
                batch.append(delta)
            elif move(file, DONE):
                done.append(file.path.name)
            continue
        if move(file, FAILED, reason):
            failed[file.path.name] = reason
    return Sorting(tuple(batch), tuple(done), failed, tuple(file.path.name for file in files.unsettled))


def _now_ns(folder: Path) -> int:
    """Return the time of the folder's file system, which may be a file server's, in nanoseconds."""
    probe = folder / ".clock"
    probe.touch()
    os.utime(probe)
    return probe.stat().st_ctime_ns


def _open_for_writing(files: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the files (device, inode) that a process has open for writing; processes of other users are invisible."""
    open_files = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or belongs to another user
            for number in os.listdir(process / "fd"):
                with suppress(OSError):
                    stat = os.stat(process / "fd" / number)
                    if (stat.st_dev, stat.st_ino) in files and _is_written(process / "fdinfo" / number):
                        open_files.add((stat.st_dev, stat.st_ino))
    return open_files


def _is_written(info: Path) -> bool:
    flags = next(line.split()[1] for line in info.read_text().splitlines() if line.startswith("flags:"))
    return bool(int(flags, 8) & os.O_ACCMODE)


@lru_cache(maxsize=1024)  # files may wait for long, and are checked every few seconds
def _checked(file: Dropped, sources: Sources, signs: DecimalSigns) -> DeltaFile | InputFile:
    """Return the file after a check that it is a delta or holds search rules, is readable to its end, and has a valid row.

    Raises:
        WarehouseError: The check failed; the message names the file and the hint.
    """
    if file.path.name == SEARCH_RULES:
        return check_rules_file(file.path)
    (delta,) = check_deltas([file.path], sources=sources, decimal_signs=signs)
    check_rows(delta, _CHECK_ROWS, _CHECK_MEMORY_GB)
    return delta


def _published(home: Home) -> set[tuple[str, str]]:
    """Return the name and hash of every file whose run has published, or ended without a change: deltas, last full files."""
    if not home.lake.exists:
        return set()
    # A checkpoint is slightly older than its release, and the run may have been killed in between.
    ended = (
        checkpoint
        for checkpoint in list_checkpoints(home.lake)[::-1]
        if home.journal.has_ended_since(checkpoint.run_id, "releases.live")
    )
    newest = next(ended, None)
    with home.lake.reading() as connection:
        if newest is None or not exists(connection, DELTAS.table):
            return set()
        query = (
            f"SELECT name, sha256 FROM {DELTAS.table} WHERE snapshot <= ? "
            f"UNION ALL SELECT name, sha256 FROM {FILES.table} WHERE snapshot_id <= ?"
        )
        return set(connection.execute(query, [newest.snapshot, newest.snapshot]).fetchall())


def move(file: Dropped, place: str, reason: str = "") -> bool:
    """Move a file and write the reason next to it; return False, without a move, if the path has other content by now."""
    folder = file.path.parent / place
    folder.mkdir(exist_ok=True)
    target = _free(folder, file.path.name)
    try:
        if file.path.stat().st_ctime_ns != file.changed_ns:
            return False
        if reason:
            (folder / (target.name + REASON)).write_text(f"{reason}\n", encoding="utf-8")
        file.path.rename(target)
    except FileNotFoundError:
        return False
    if _state(target.stat()) == file.state:
        return True
    target.rename(file.path)  # a newer file under this name waits for the next pass
    return False


def _free(folder: Path, name: str) -> Path:
    """Return an unused path in the folder for a name: `a.jsonl`, then `a.2.jsonl` and so on."""
    target, number = folder / name, 1
    while target.exists():
        number += 1
        target = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
    return target
