"""Download: fetch the data set's files; a file gets its name once its size and SHA-256 are correct."""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE
from warehouse.download.http_source import CHUNK_BYTES, BrokenOffError, CannotResumeError, RemoteFile, Server
from warehouse.errors import WarehouseError
from warehouse.readers.file_bytes import is_pointer
from warehouse.readers.file_hash import sha256

FILES = (
    RemoteFile(
        EXAMPLES_FILE,
        51_286_808,
        "4a735b693b4a424a6fc67f5be6e4c811495c488bbf66d02a602d308b2744263a",
    ),
    RemoteFile(
        PRODUCTS_FILE,
        1_108_857_465,
        "25124442d064d64b26f74082d6fa09438d679efc0c183cf28d19064a2b65a265",
    ),
)

OnProgress = Callable[[RemoteFile, int], None]
OnNote = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """Describe one file: `outcome` is `kept` (it existed), `fetched` or `resumed`; `bytes_fetched` counts the new bytes."""

    name: str
    size_bytes: int
    sha256: str
    outcome: str
    bytes_fetched: int


@dataclass(frozen=True)
class Download:
    """Fetch files from a server.

    `attempts` bounds the consecutive failures without progress. The wait between them is `wait_s`, then twice, four times,
    … as many seconds.
    """

    server: Server = field(default_factory=Server)
    attempts: int = 5
    wait_s: float = 1.0

    def fetch(
        self,
        folder: Path,
        files: Sequence[RemoteFile] = FILES,
        on_progress: OnProgress = lambda _file, _bytes: None,
        on_note: OnNote = lambda _text: None,
    ) -> list[Fetched]:
        """Fetch files into a folder; keep correct files, and resume partial ones (`NAME.part`).

        Args:
            folder: The target; created if missing.
            files: The files, with their sizes and hashes.
            on_progress: Receives a file and the number of its bytes on disk.
            on_note: Receives notes for the user, one sentence each.

        Raises:
            WarehouseError: The path holds another file, the disk is full, the server is down, or its content is wrong.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"{folder} cannot be created: {error.strerror}", "give another folder: --out DIR"
            ) from error
        missing = [file for file in files if not _is_complete(folder / file.name, file, on_note)]
        _check_room(folder, missing)
        return [
            self._fetch(folder / file.name, file, on_progress, on_note)
            if file in missing
            else Fetched(file.name, file.size_bytes, file.sha256, "kept", 0)
            for file in files
        ]

    def _fetch(self, path: Path, file: RemoteFile, on_progress: OnProgress, on_note: OnNote) -> Fetched:
        part = part_of(path)
        try:
            with part.open("ab+") as opened:
                _lock(opened, part)
                begun = _Part(opened, on_note)
                if begun.size > file.size_bytes or (begun.size == file.size_bytes and begun.sha256 != file.sha256):
                    begun.empty(f"{part} does not begin as the file does: the file is fetched again from the start")
                fetched_bytes = self._complete(begun, file, on_progress)
                if begun.sha256 != file.sha256:
                    part.unlink()
                    raise WarehouseError(
                        f"{self.server.url(file)} has the SHA-256 {begun.sha256}, not {file.sha256}; {part} was deleted",
                        "run the same command again; if the hash is wrong again, give another address: --url BASE",
                    )
                os.fsync(opened.fileno())
                part.rename(path)
        except OSError as error:
            part_bytes = part.stat().st_size if part.exists() else 0
            reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
            raise WarehouseError(
                f"{part} cannot be written: {reason}; {part_bytes:,} of {file.size_bytes:,} bytes are kept",
                "correct the cause, then run the same command again: the download continues from there",
            ) from error
        return Fetched(file.name, file.size_bytes, file.sha256, "resumed" if begun.reused else "fetched", fetched_bytes)

    def _complete(self, part: "_Part", file: RemoteFile, on_progress: OnProgress) -> int:
        """Fetch the missing bytes of a partial file, and return their number."""
        on_progress(file, part.size)
        fetched_bytes, furthest, failures = 0, part.size, 0
        while part.size < file.size_bytes:
            reason = "the server sent less than the whole file"
            try:
                with self.server.body(file, part.size) as (first, chunks):
                    if first != part.size:
                        part.empty(
                            f"{self.server.url(file)} cannot be resumed: the file is fetched again from the start"
                        )
                    for chunk in chunks:
                        if part.size + len(chunk) > file.size_bytes:
                            part.empty()
                            raise WarehouseError(
                                f"{self.server.url(file)} sends more than {file.size_bytes:,} bytes: "
                                "the address serves another file",
                                "give the address of the data set itself: --url BASE",
                            )
                        part.write(chunk)
                        fetched_bytes += len(chunk)
                        on_progress(file, part.size)
            except BrokenOffError as error:
                reason = str(error)
            except CannotResumeError:
                part.empty(f"{self.server.url(file)} cannot be resumed: the file is fetched again from the start")
            if part.size >= file.size_bytes:
                break
            furthest, failures = (part.size, 0) if part.size > furthest else (furthest, failures + 1)
            if failures == self.attempts:
                raise WarehouseError(
                    f"{self.server.url(file)}: {reason}, {self.attempts} times; {part.size:,} of {file.size_bytes:,} bytes "
                    "are kept",
                    "run the same command again later: the download continues from there",
                )
            time.sleep(self.wait_s * 2**failures)
        return fetched_bytes


class _Part:
    """A partial file, its hash, and the number of bytes from an earlier run."""

    def __init__(self, opened: BinaryIO, on_note: OnNote) -> None:
        self._file, self._on_note, self._hash = opened, on_note, hashlib.sha256()
        self.size = self.reused = os.fstat(opened.fileno()).st_size
        opened.seek(0)
        for start in range(0, self.size, CHUNK_BYTES):
            self._hash.update(opened.read(min(CHUNK_BYTES, self.size - start)))

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._file.flush()
        self._hash.update(chunk)
        self.size += len(chunk)

    def empty(self, note: str = "") -> None:
        if note and self.size:
            self._on_note(note)
        if self.size:
            self._file.truncate(0)
        self._hash, self.size, self.reused = hashlib.sha256(), 0, 0


def part_of(path: Path) -> Path:
    """Return the path of a file's partial download."""
    return path.with_name(f"{path.name}.part")


def _is_complete(path: Path, file: RemoteFile, on_note: OnNote) -> bool:
    """Tell whether the path holds the complete file; refuse a path that holds another file or a folder.

    Raises:
        WarehouseError: The path holds something else, which the download would overwrite.
    """
    if not path.exists():
        return False
    if path.is_file() and is_pointer(path):
        on_note(f"{path} is a git-lfs pointer, not the data: the download replaces the pointer")
        return False
    if not path.is_file() or path.stat().st_size != file.size_bytes or sha256(path) != file.sha256:
        raise WarehouseError(
            f"{path} exists and is not the data set's file: its size or its SHA-256 differs",
            "move the file to another folder, or give another folder: --out DIR",
        )
    return True


def _check_room(folder: Path, files: Sequence[RemoteFile]) -> None:
    """Refuse a download that the disk has no room for."""
    parts = [(file, part_of(folder / file.name)) for file in files]
    missing_bytes = sum(max(0, file.size_bytes - (part.stat().st_size if part.exists() else 0)) for file, part in parts)
    free = shutil.disk_usage(folder).free
    if missing_bytes > free:
        raise WarehouseError(
            f"{folder} has {free / 1e6:,.0f} MB free, and the download needs {missing_bytes / 1e6:,.0f} MB",
            "free disk space, or give a folder on another disk: --out DIR",
        )


def _lock(opened: BinaryIO, part: Path) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WarehouseError(
            f"another download is writing {part}", "wait until the other download ends, or stop it"
        ) from error
