"""Archived files are restored byte by byte, or refused."""

import hashlib
import os
from pathlib import Path

import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.file_archive import FileArchive


@pytest.fixture
def archive(tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path / "home" / "archive")


def file(folder: Path, content: bytes, name: str = "a.jsonl") -> tuple[Path, str]:
    path = folder / name
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", b'{"op": "delete"}\n' * 1000, os.urandom(3_000_000), b"PAR1" + bytes(9)])
def test_a_file_comes_back_to_the_byte(archive: FileArchive, tmp_path: Path, content: bytes) -> None:
    path, sha256 = file(tmp_path, content)
    assert archive.add(path, sha256)
    path.unlink()
    archive.restore(sha256, tmp_path / "there" / "b.jsonl")
    assert (tmp_path / "there" / "b.jsonl").read_bytes() == content


def test_equal_content_is_archived_once_and_text_is_compressed(archive: FileArchive, tmp_path: Path) -> None:
    path, sha256 = file(tmp_path, b'{"op": "delete", "product_id": "B07XYZ"}\n' * 1000)
    assert archive.add(path, sha256)
    other, _ = file(tmp_path, path.read_bytes(), "b.jsonl")
    assert not archive.add(other, sha256)
    (copy,) = archive.root.iterdir()
    assert 0 < copy.stat().st_size < path.stat().st_size / 10


def test_a_file_that_changes_while_it_is_read_is_not_archived(archive: FileArchive, tmp_path: Path) -> None:
    path, sha256 = file(tmp_path, b"before")
    path.write_bytes(b"after")
    with pytest.raises(WarehouseError, match=r"a\.jsonl changed"):
        archive.add(path, sha256)
    assert not list(archive.root.iterdir())


def test_what_is_missing_or_damaged_is_named(archive: FileArchive, tmp_path: Path) -> None:
    path, sha256 = file(tmp_path, b"content" * 100)
    with pytest.raises(WarehouseError, match=f"no copy of the file with the SHA-256 {sha256}"):
        archive.restore(sha256, tmp_path / "out")
    archive.add(path, sha256)
    (copy,) = archive.root.iterdir()
    whole = copy.read_bytes()
    for damage in (whole[: len(whole) // 2], b"nonsense"):
        copy.write_bytes(damage)
        with pytest.raises(WarehouseError, match=sha256):
            archive.restore(sha256, tmp_path / "out")
    _, other = file(tmp_path, b"other")
    archive.prune(set())
    archive.add(tmp_path / "a.jsonl", other)
    next(archive.root.iterdir()).rename(copy)
    with pytest.raises(WarehouseError, match="is damaged"):
        archive.restore(sha256, tmp_path / "out")


def test_pruning_leaves_what_is_needed_and_no_draft(archive: FileArchive, tmp_path: Path) -> None:
    hashes = []
    for number in range(3):
        path, sha256 = file(tmp_path, bytes([number]))
        archive.add(path, sha256)
        hashes.append(sha256)
    (archive.root / "draft-1").write_bytes(b"of a killed process")
    assert archive.prune({hashes[1]}) == 3
    assert [archive.has(each) for each in hashes] == [False, True, False]
    assert len(list(archive.root.iterdir())) == 1
