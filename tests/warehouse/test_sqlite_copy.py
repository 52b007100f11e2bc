"""Copies of SQLite databases are complete, and made again only after a change."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from warehouse.sqlite_copy import sqlite_copy


def test_a_copy_has_what_lies_in_the_log_and_leaves_the_database_alone(tmp_path):
    with closing(_write(tmp_path / "höme.sqlite", 1)):
        before = sorted(os.listdir(tmp_path))
        assert "höme.sqlite-wal" in before
        assert _rows(sqlite_copy(tmp_path / "höme.sqlite")) == [(1,)]
        assert sorted(os.listdir(tmp_path)) == before


def test_a_copy_is_made_once_and_again_after_a_write(tmp_path):
    with closing(_write(tmp_path / "a.sqlite", 1)) as writer:
        first = sqlite_copy(tmp_path / "a.sqlite")
        assert sqlite_copy(tmp_path / "a.sqlite") == first
        writer.execute("INSERT INTO t VALUES (2)")
        assert _rows(sqlite_copy(tmp_path / "a.sqlite")) == [(1,), (2,)]
        assert _rows(first) == [(1,)]


def test_only_the_newest_copies_are_kept(tmp_path):
    with closing(_write(tmp_path / "a.sqlite", 0)) as writer:
        copies = []
        for number in range(1, 12):
            writer.execute("INSERT INTO t VALUES (?)", (number,))
            copies.append(sqlite_copy(tmp_path / "a.sqlite"))
    assert [copy.exists() for copy in copies[:2]] == [False, False]
    assert all(copy.exists() for copy in copies[-4:])


def _write(path: Path, number: int) -> sqlite3.Connection:
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (a)")
    writer.execute("INSERT INTO t VALUES (?)", (number,))
    return writer


def _rows(path: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(path)) as reader:
        return reader.execute("SELECT a FROM t").fetchall()
