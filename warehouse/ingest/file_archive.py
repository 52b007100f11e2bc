"""Kept files: what came in, byte by byte, named by its hash, so that it can be brought in again."""

import hashlib
import os
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from warehouse.errors import WarehouseError

_ENDING = ".zst"
_CHUNK_BYTES = 1 << 20


class FileArchive:
    """Keep copies of files under one directory, compressed (zstd), each content once whatever its name was.

    A copy appears whole or not at all, and is on the disk before anything that names it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, sha256: str) -> bool:
        """Tell whether the content with this hash is kept."""
        return self._path(sha256).exists()

    def keep(self, path: Path, sha256: str) -> bool:
        """Keep a file whose hash is known, and tell whether it was not kept before.

        Raises:
            WarehouseError: The file's bytes are no longer those of the hash.
        """
        if self.has(sha256):
            return False
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f"draft-{os.getpid()}"
        try:
            with path.open("rb") as source, draft.open("wb") as target:
                with pa.CompressedOutputStream(pa.PythonFile(target, mode="w"), "zstd") as packed:
                    digest = _copy(source.read, packed.write)
                    packed.flush()
                if digest != sha256:
                    raise WarehouseError(f"{path} changed while it was read", "wait until it is written, and run again")
            with draft.open("rb") as draft_file:
                os.fsync(draft_file.fileno())
            draft.rename(self._path(sha256))
        finally:
            draft.unlink(missing_ok=True)
        return True

    def restore(self, sha256: str, path: Path) -> None:
        """Write the content with this hash to a path.

        Raises:
            WarehouseError: It is not kept, or its copy is damaged.
        """
        copy_path = self._path(sha256)
        hint = "bring a full snapshot in, from which a replay can start: stockroom build --raw DIR"
        if not copy_path.exists():
            raise WarehouseError(f"{copy_path} is missing", hint)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with pa.CompressedInputStream(pa.OSFile(str(copy_path)), "zstd") as packed, path.open("wb") as target:
                digest = _copy(packed.read, target.write)
        except OSError as error:
            raise WarehouseError(f"{copy_path} cannot be read: {error}", hint) from error
        if digest != sha256:
            raise WarehouseError(f"{copy_path} is damaged: it holds other bytes than its name says", hint)

    def prune(self, hashes: Set[str]) -> int:
        """Take away every copy but those of the hashes in `needed`, and drafts of killed processes; return how many went."""
        removed_count = 0
        for path in self._files():
            if path.name.removesuffix(_ENDING) not in hashes:
                with suppress(FileNotFoundError):
                    path.unlink()
                    removed_count += 1
        return removed_count

    def _files(self) -> Iterable[Path]:
        return sorted(self.root.iterdir()) if self.root.is_dir() else []

    def _path(self, sha256: str) -> Path:
        return self.root / f"{sha256}{_ENDING}"


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> str:
    """Copy in pieces, and return the SHA-256 of the bytes, in hex."""
    digest = hashlib.sha256()
    while piece := read(_CHUNK_BYTES):
        digest.update(piece)
        write(piece)
    return digest.hexdigest()
