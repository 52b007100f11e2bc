"""Incoming: the folder that delta files are dropped into, and what becomes of each file there."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import points
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile, check_deltas
from warehouse.ingest.delta_rows import check_rows
from warehouse.ingest.deltas import DELTAS
from warehouse.lake.tables import exists

DONE, FAILED = "done", "failed"
REASON = ".reason.txt"
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
"""Endings of names under which programs write what they rename when it is whole; so is a dot at the beginning."""

_CHECK_MEMORY_GB = 1.0
_CHECK_ROWS = 10_000


class _State(NamedTuple):
    """What tells one content of a path from another and that a move to a folder beside it does not change."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Dropped:
    """A file in the folder, as it was when it was looked at; `changed_ns` is set by the kernel at any change."""

    path: Path
    state: _State
    changed_ns: int


@dataclass(frozen=True)
class Waiting:
    """Tell which files wait in the folder: those that are `whole`, in the order in which they come in, and the others."""

    whole: tuple[Dropped, ...] = ()
    unsettled: tuple[Dropped, ...] = ()

    @property
    def digest(self) -> str:
        """Return a short name of the whole files: 16 hex digits of the hash of their names, sizes and times, in order."""
        states = [(file.path.name, *file.state, file.changed_ns) for file in self.whole]
        return sha256(repr(states).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Sorting:
    """Tell what became of the files in the folder.

    `batch` are those that a run has to bring in, in order. `done` and `failed` (name: reason) have been moved there,
    `unsettled` may still be written. All but `batch` by name.
    """

    batch: tuple[DeltaFile, ...] = ()
    done: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()


def candidates(folder: Path) -> list[Dropped]:
    """Return the files that were dropped, in the order in which they come in: last written first to last, then by name.

    Hidden files, temporary names and folders are none.
    """
    files = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.name.startswith(".") or path.name.endswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):  # taken away meanwhile, or a link to nothing
                stat = path.stat()
                if S_ISREG(stat.st_mode):
                    files.append(Dropped(path, _state(stat), stat.st_ctime_ns))
    return sorted(files, key=lambda file: (file.state.mtime_ns, file.path.name))


def _state(stat: os.stat_result) -> _State:
    return _State(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def waiting(folder: Path, settle_s: float) -> Waiting:
    """Return the files that wait, by their names, sizes and times alone: none is read.

    A file is whole when it has been untouched for `settle_s` seconds by the clock of its own file system (its change
    time, which no program can set back), and is open for writing in no process that may be looked into.
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
    """Move what came in before to done/ and what is no delta to failed/, and tell what a run has to bring in.

    A file is left until it is whole: see `waiting`. Each is checked by itself and read to its end. One that came in before,
    by name and hash, is done once a run that had it has published.

    The caller keeps other runs and other callers away meanwhile.
    """
    files = waiting(home.incoming, settle_s)
    published = _published(home) if files.whole else set()
    batch: list[DeltaFile] = []
    done: list[str] = []
    failed: dict[str, str] = {}
    for file in files.whole:
        try:
            delta = _checked(file)
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
    """Return the time by the folder's own clock, which may be a file server's, in nanoseconds."""
    probe = folder / ".clock"
    probe.touch()
    os.utime(probe)
    return probe.stat().st_ctime_ns


def _open_for_writing(files: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return which of the files (device, inode) a process has open for writing; those of other users stay unseen."""
    open_files = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is not ours to look into
            for number in os.listdir(process / "fd"):
                with suppress(OSError):
                    stat = os.stat(process / "fd" / number)
                    if (stat.st_dev, stat.st_ino) in files and _is_written(process / "fdinfo" / number):
                        open_files.add((stat.st_dev, stat.st_ino))
    return open_files


def _is_written(info: Path) -> bool:
    flags = next(line.split()[1] for line in info.read_text().splitlines() if line.startswith("flags:"))
    return bool(int(flags, 8) & os.O_ACCMODE)


@lru_cache(maxsize=1024)  # files may wait for long, and are looked at every few seconds
def _checked(file: Dropped) -> DeltaFile:
    """Return the delta file once it is known to be one, to be readable to its end, and to have a row that can be taken in.

    Raises:
        WarehouseError: It is not; names the file and the hint.
    """
    (delta,) = check_deltas([file.path])
    check_rows(delta, _CHECK_ROWS, _CHECK_MEMORY_GB)
    return delta


def _published(home: Home) -> set[tuple[str, str]]:
    """Return name and hash of every delta file that a run has brought in and published, or seen to change nothing."""
    if not home.lake.exists:
        return set()
    # A point is older than its release by a moment, and the run may have been killed in it.
    ended = (point for point in points(home.lake)[::-1] if home.journal.has_ended_since(point.run_id, "releases.live"))
    newest = next(ended, None)
    with home.lake.reading() as connection:
        if newest is None or not exists(connection, DELTAS.table):
            return set()
        query = f"SELECT name, sha256 FROM {DELTAS.table} WHERE snapshot <= ?"
        return set(connection.execute(query, [newest.snapshot]).fetchall())


def move(file: Dropped, place: str, reason: str = "") -> bool:
    """Move a file and put the reason beside it; leave it, and return False, where its path holds something else by now."""
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
    target.rename(file.path)  # what was dropped under this name a moment ago has its own turn
    return False


def _free(folder: Path, name: str) -> Path:
    """Return a path for a name that nothing in the folder has: `a.jsonl`, then `a.2.jsonl` and so on."""
    target, number = folder / name, 1
    while target.exists():
        number += 1
        target = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
    return target
