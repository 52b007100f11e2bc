"""File archive: exact copies of the ingested files, named by their hash, for a replay."""

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
    """Keep copies of files in one directory, compressed (zstd), each content once whatever its name.

    A copy appears atomically, and is on disk before anything names it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, sha256: str) -> bool:
        """Tell whether the archive has the content with this hash."""
        return self._path(sha256).exists()

    def keep(self, path: Path, sha256: str) -> bool:
        """Archive a file with a known hash, and tell whether it is new.

        Raises:
            WarehouseError: The file's bytes no longer match the hash.
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
            WarehouseError: The archive has no copy, or a damaged one.
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
        """Remove drafts of killed processes and every copy but those of `hashes`; return the number of removed files."""
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
    """Copy in chunks, and return the SHA-256 of the bytes, in hex."""
    digest = hashlib.sha256()
    while piece := read(_CHUNK_BYTES):
        digest.update(piece)
        write(piece)
    return digest.hexdigest()
