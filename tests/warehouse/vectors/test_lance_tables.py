import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from warehouse.errors import WarehouseError
from warehouse.vectors.lance_tables import (
    LanceDirectory,
    at_version,
    delete_keys,
    key_field,
    merge,
    present_keys,
    prune,
    scan,
    versions,
)

SCHEMA = pa.schema([key_field("key", pa.string()), pa.field("value", pa.int64())])


def rows(*pairs: tuple[str, int]) -> pa.Table:
    return pa.Table.from_pylist([{"key": key, "value": value} for key, value in pairs], schema=SCHEMA)


def content(directory: LanceDirectory, name: str = "t") -> list[tuple[str, int]]:
    return sorted(tuple(row.values()) for row in scan(directory.open(name), ["key", "value"]).to_pylist())


@pytest.fixture
def directory(tmp_path: Path) -> LanceDirectory:
    return LanceDirectory(tmp_path / "vectors")


def stale_pair(directory: LanceDirectory, *, btree: bool) -> tuple[Any, Any]:
    """Open one table twice, as two processes would, both before the other writes."""
    first = directory.create("t", SCHEMA)
    merge(first, rows(("old", 0)))
    if btree:
        from lancedb.index import BTree

        first.create_index("key", config=BTree())
    second = LanceDirectory(directory.root).open("t")
    assert second is not None
    assert second.count_rows() == 1
    return first, second


@pytest.mark.parametrize("btree", [False, True])
@pytest.mark.parametrize("update", [False, True])
def test_a_key_merged_through_two_handles_is_there_once(directory: LanceDirectory, btree: bool, update: bool) -> None:
    first, second = stale_pair(directory, btree=btree)
    assert merge(first, rows(("new", 1)), update=update) == 1
    assert merge(second, rows(("new", 2)), update=update) == (1 if update else 0)
    assert content(directory) == [("new", 2 if update else 1), ("old", 0)]


def test_merge_replaces_or_leaves_what_is_there(directory: LanceDirectory) -> None:
    table = directory.create("t", SCHEMA)
    assert merge(table, rows(("a", 1), ("b", 1))) == 2
    assert merge(table, rows(("b", 2), ("c", 2)), update=False) == 1
    assert content(directory) == [("a", 1), ("b", 1), ("c", 2)]
    assert merge(table, rows(("b", 3), ("d", 3))) == 2
    assert content(directory) == [("a", 1), ("b", 3), ("c", 2), ("d", 3)]


def test_deleting_writes_versions_only_for_keys_that_are_there(
    directory: LanceDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.vectors.lance_tables._DELETE_KEYS", 2)
    table = directory.create("t", SCHEMA)
    merge(table, rows(*((key, 0) for key in "abcde")))
    before = table.version
    assert delete_keys(table, []) == 0
    assert delete_keys(table, ["x", "y", "z", "a' OR 1=1 --"]) == 0
    assert table.version == before
    assert delete_keys(table, ["x", "y", "a", "a", "b", "c"]) == 3
    assert content(directory) == [("d", 0), ("e", 0)]


def test_opening_what_is_not_there_creates_nothing(directory: LanceDirectory) -> None:
    assert directory.open("t") is None
    assert not directory.root.exists()
    directory.create("t", SCHEMA)
    assert directory.open("other") is None


def test_a_table_with_only_a_directory_does_not_exist_and_can_be_created(directory: LanceDirectory) -> None:
    for part in ("data", "_transactions", "_versions"):
        (directory.root / "t.lance" / part).mkdir(parents=True)
        assert directory.open("t") is None
        assert directory.names("") == []
    merge(directory.create("t", SCHEMA), rows(("a", 1)))
    assert content(directory) == [("a", 1)]
    assert directory.names("") == ["t"]


def test_creating_twice_opens_and_keeps_the_rows(directory: LanceDirectory) -> None:
    merge(directory.create("t", SCHEMA), rows(("a", 1)))
    assert LanceDirectory(directory.root).create("t", SCHEMA).count_rows() == 1
    with pytest.raises(WarehouseError, match="the columns of the table t are not those that this run writes"):
        directory.create("t", pa.schema([key_field("key", pa.string()), pa.field("value", pa.string())]))


def test_a_pinned_table_stays_at_its_version(directory: LanceDirectory) -> None:
    table = directory.create("t", SCHEMA)
    merge(table, rows(("a", 1)))
    pinned = at_version(directory.open("t"), table.version)
    merge(table, rows(("b", 2)))
    assert pinned.count_rows() == 1
    with pytest.raises(WarehouseError, match="version 77 of the table t does not exist"):
        at_version(directory.open("t"), 77)


@pytest.mark.parametrize("name", ["", "../t", "a/b", ".hidden", "a b", "a'b", "ü"])
def test_names_that_are_no_names_are_refused(directory: LanceDirectory, name: str) -> None:
    with pytest.raises(WarehouseError, match="is not a valid table name"):
        directory.open(name)


def size(directory: LanceDirectory) -> int:
    return sum(path.stat().st_size for path in directory.root.rglob("*") if path.is_file())


def test_versions_before_the_oldest_to_keep_go_with_their_files(directory: LanceDirectory) -> None:
    table = directory.create("t", SCHEMA)
    for version in range(5):
        time.sleep(0.25)  # more than the margin within which a version stays for safety
        merge(table, rows(*((f"k{number}", version) for number in range(2_000))))
    assert list(versions(table)) == [1, 2, 3, 4, 5, 6]
    table.tags.create("kept", 5)
    then = sorted(tuple(row.values()) for row in scan(at_version(directory.open("t"), 5), ["key", "value"]).to_pylist())
    now, before = content(directory), size(directory)
    assert prune(table, {2, 5}, datetime.now(UTC)) == 1  # what 2 needs stays, whatever has a tag
    assert prune(table, {5}, datetime.now(UTC)) == 3
    assert size(directory) < before * 0.7
    assert content(directory) == now
    stored_rows = scan(at_version(directory.open("t"), 5), ["key", "value"]).to_pylist()
    assert sorted(tuple(row.values()) for row in stored_rows) == then
    with pytest.raises(WarehouseError, match="version 2"):
        at_version(directory.open("t"), 2)
    version_times = versions(table)
    assert prune(table, {5}, datetime.now(UTC)) == 0
    assert versions(table) == version_times  # nothing was written for nothing


def test_young_versions_stay(directory: LanceDirectory) -> None:
    table = directory.create("t", SCHEMA)
    start = datetime.now(UTC)
    merge(table, rows(("a", 1)))
    time.sleep(0.25)
    merge(table, rows(("b", 1)))
    assert prune(table, (), start) == 0
    assert list(versions(table)) == [1, 2, 3]


def test_a_dropped_table_is_gone_and_so_is_what_a_killed_drop_left(directory: LanceDirectory) -> None:
    merge(directory.create("gone", SCHEMA), rows(("a", 1)))
    merge(directory.create("stays", SCHEMA), rows(("a", 1)))
    leftover = directory.root / ".dropped-other"
    leftover.mkdir()
    directory.drop("gone")
    assert directory.names("") == ["stays"]
    assert directory.open("gone") is None
    assert not leftover.exists()
    assert content(directory, "stays") == [("a", 1)]


def test_present_keys_are_those_with_a_row(directory: LanceDirectory) -> None:
    table = directory.create("t", SCHEMA)
    merge(table, rows(("a", 1), ("b", 2), ("x' OR 1=1 --", 3)))
    assert present_keys(table, ["b", "c", "x' OR 1=1 --", "b"]) == ["b", "x' OR 1=1 --"]
    assert present_keys(table, []) == []
