"""File archive: exact copies of the ingested files, named by their hash, for a replay."""

import hashlib
import os
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from warehouse.errors import WarehouseError

_PACKED, _PLAIN = ".zst", ".parquet"
_PARQUET = b"PAR1"  # the first bytes of every parquet file
_CHUNK_BYTES = 1 << 20


class FileArchive:
    """Keep copies of files in one directory, each content once whatever its name.

    Copies are compressed (zstd), but for parquet files, which are compressed already. A copy appears atomically, and is on
    disk before anything names it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, sha256: str) -> bool:
        """Tell whether the archive has the content with this hash."""
        return any(path.exists() for path in self._paths(sha256))

    def add(self, path: Path, sha256: str) -> bool:
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
                is_parquet = source.read(len(_PARQUET)) == _PARQUET
                source.seek(0)
                if is_parquet:
                    digest = _copy(source.read, target.write)
                else:
                    with pa.CompressedOutputStream(pa.PythonFile(target, mode="w"), "zstd") as packed:
                        digest = _copy(source.read, packed.write)
                        packed.flush()
                if digest != sha256:
                    raise WarehouseError(
                        f"{path} changed while it was read", "wait until the file is complete, then run again"
                    )
            with draft.open("rb") as draft_file:
                os.fsync(draft_file.fileno())
            packed_path, plain_path = self._paths(sha256)
            draft.rename(plain_path if is_parquet else packed_path)
        finally:
            draft.unlink(missing_ok=True)
        return True

    def restore(self, sha256: str, path: Path) -> None:
        """Write the content with this hash to a path.

        Raises:
            WarehouseError: The archive has no copy, or a damaged one.
        """
        hint = "ingest a full snapshot, from which a replay can start: stockroom build --raw DIR"
        packed_path, plain_path = self._paths(sha256)
        copy_path = plain_path if plain_path.exists() else packed_path
        if not copy_path.exists():
            raise WarehouseError(f"{self.root} has no copy of the file with the SHA-256 {sha256}", hint)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with copy_path.open("rb") as source, path.open("wb") as target:
                packed = pa.CompressedInputStream(source, "zstd") if copy_path == packed_path else source
                digest = _copy(packed.read, target.write)
        except OSError as error:
            raise WarehouseError(f"{copy_path} cannot be read: {error}", hint) from error
        if digest != sha256:
            raise WarehouseError(f"{copy_path} is damaged: its bytes do not have the hash in its name", hint)

    def prune(self, hashes: Set[str]) -> int:
        """Remove drafts of killed processes and every copy but those of `hashes`; return the number of removed files."""
        removed_count = 0
        for path in self._files():
            if path.name.removesuffix(_PACKED).removesuffix(_PLAIN) not in hashes:
                with suppress(FileNotFoundError):
                    path.unlink()
                    removed_count += 1
        return removed_count

    def _files(self) -> Iterable[Path]:
        return sorted(self.root.iterdir()) if self.root.is_dir() else []

    def _paths(self, sha256: str) -> tuple[Path, Path]:
        """Return the paths of a compressed and of a plain copy."""
        return self.root / f"{sha256}{_PACKED}", self.root / f"{sha256}{_PLAIN}"


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> str:
    """Copy in chunks, and return the SHA-256 of the bytes, in hex."""
    digest = hashlib.sha256()
    while piece := read(_CHUNK_BYTES):
        digest.update(piece)
        write(piece)
    return digest.hexdigest()
