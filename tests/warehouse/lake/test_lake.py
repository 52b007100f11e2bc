import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from warehouse.errors import WarehouseError
from warehouse.lake.lake import Lake, attach, connect, quote, scalar, snapshot_id
from warehouse.settings import WarehouseSettings

WRITER = """
import sys
from pathlib import Path
from warehouse.lake.lake import Lake
with Lake(Path(sys.argv[1])).writing() as connection:
    connection.execute("CREATE SCHEMA IF NOT EXISTS s; CREATE TABLE IF NOT EXISTS s.numbers (n INTEGER)")
    connection.execute("INSERT INTO s.numbers SELECT range FROM range(100000)")
    print("writing", flush=True)
    sys.stdin.read()
"""


def spawn(lake: Lake) -> subprocess.Popen[str]:
    """Start a process that keeps the lake in the middle of a write until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(lake.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def add(lake: Lake, number: int) -> None:
    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS s; CREATE TABLE IF NOT EXISTS s.numbers (n INTEGER)")
        connection.execute("INSERT INTO s.numbers VALUES (?)", [number])


def half_write(lake: Lake) -> None:
    with lake.writing() as connection:
        connection.execute("INSERT INTO s.numbers VALUES (2)")
        connection.execute("CREATE TABLE s.others AS SELECT 1 AS n")
        raise KeyboardInterrupt


def numbers(lake: Lake, snapshot: int | None = None) -> list[int]:
    with lake.reading(snapshot) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM s.numbers ORDER BY n").fetchall()]


def test_an_empty_lake_says_how_to_fill_it_and_makes_nothing(lake: Lake) -> None:
    assert not lake.exists
    assert lake.snapshot() == 0
    with pytest.raises(WarehouseError, match=r"no data in .*home\n.*stockroom build --raw"), lake.reading():
        pass
    assert not lake.root.exists()


def test_every_snapshot_can_be_read_again(lake: Lake) -> None:
    add(lake, 1)
    first = lake.snapshot()
    add(lake, 2)
    assert lake.snapshot() == first + 1
    assert numbers(lake) == [1, 2]
    assert numbers(lake, first) == [1]
    with lake.reading(first) as connection:
        assert scalar(connection, "SELECT count(*) FROM s.numbers") == 1
        assert snapshot_id(connection) >= first


@pytest.mark.parametrize("snapshot", [99, -1, 2**63, 2**70])
def test_a_snapshot_that_is_not_there_is_named(lake: Lake, snapshot: int) -> None:
    add(lake, 1)
    with pytest.raises(WarehouseError, match=f"no snapshot {snapshot}\n.*stockroom snapshots"), lake.reading(snapshot):
        pass


def test_a_transaction_that_changes_nothing_writes_no_snapshot(lake: Lake) -> None:
    add(lake, 1)
    before = lake.snapshot()
    with lake.writing() as connection:
        connection.execute("DELETE FROM s.numbers WHERE n = 5")
    assert lake.snapshot() == before


def test_an_error_while_writing_leaves_the_old_state(lake: Lake) -> None:
    add(lake, 1)
    before = lake.snapshot()
    with pytest.raises(KeyboardInterrupt):
        half_write(lake)
    assert (numbers(lake), lake.snapshot()) == ([1], before)
    add(lake, 3)
    assert numbers(lake) == [1, 3]


def test_readers_keep_their_state_while_another_writes(lake: Lake) -> None:
    add(lake, 1)
    with lake.reading() as connection:
        count = "SELECT count(*) FROM s.numbers"
        assert scalar(connection, count) == 1
        add(lake, 2)
        assert scalar(connection, count) == 1
    assert numbers(lake) == [1, 2]


def test_readers_cannot_write(lake: Lake) -> None:
    add(lake, 1)
    with lake.reading() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute("INSERT INTO s.numbers VALUES (2)")


@pytest.mark.parametrize("filled", [False, True])
def test_a_killed_writer_leaves_the_old_state_and_no_lock(lake: Lake, filled: bool) -> None:
    if filled:
        add(lake, 1)
    process = spawn(lake)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    if filled:
        assert numbers(lake) == [1]
    add(lake, 2)
    assert numbers(lake) == ([1, 2] if filled else [2])


def test_a_catalog_that_was_only_begun_is_no_lake(lake: Lake) -> None:
    lake.root.mkdir(parents=True)
    (lake.root / "draft.sqlite").write_bytes(b"")
    (lake.root / "draft.sqlite-wal").write_bytes(b"half")
    assert not lake.exists
    add(lake, 1)
    assert numbers(lake) == [1]
    assert not list(lake.root.glob("draft*"))


def test_a_second_process_waits_for_the_lock_and_readers_do_not(lake: Lake) -> None:
    add(lake, -1)
    process = spawn(lake)
    assert process.stdin is not None
    impatient = Lake(lake.root, WarehouseSettings(lock_timeout_s=0.1))
    with pytest.raises(WarehouseError, match=r"write.lock has been locked by another process for more than 0.1 s"):
        add(impatient, 2)
    assert numbers(lake) == [-1]
    release = threading.Timer(0.3, process.stdin.close)
    release.start()
    add(lake, -2)
    assert process.wait() == 0
    release.join()
    process.stdout.close() if process.stdout else None
    with lake.reading() as connection:
        assert scalar(connection, "SELECT count(*) FROM s.numbers") == 100_002


def test_a_copied_home_answers_from_its_own_files(lake: Lake, tmp_path: Path) -> None:
    add(lake, 1)
    shutil.copytree(lake.root.parent, tmp_path / "copy's home")
    shutil.rmtree(lake.root.parent)
    copy = Lake(tmp_path / "copy's home" / "lake")
    assert numbers(copy) == [1]
    add(copy, 2)
    assert numbers(copy) == [1, 2]
    assert not lake.root.exists()


def test_a_connection_alone_loads_no_extension() -> None:
    with connect(memory_gb=1.0, threads=1) as connection:
        loaded = (
            "SELECT count(*) FROM duckdb_extensions() WHERE loaded AND extension_name IN ('ducklake', 'sqlite_scanner')"
        )
        assert scalar(connection, loaded) == 0
        assert scalar(connection, "SELECT current_setting('threads')") == 1


def test_a_broken_catalog_is_not_taken_for_a_missing_snapshot(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database at all" * 100)
    with connect(memory_gb=1.0) as connection, pytest.raises(Exception, match="not a database"):
        attach(connection, tmp_path / "catalog.sqlite", tmp_path, "READ_ONLY")


def test_quotes_text_for_sql() -> None:
    assert quote("it's") == "'it''s'"


def test_a_query_without_a_row_is_an_error() -> None:
    with connect(memory_gb=1.0) as connection, pytest.raises(WarehouseError, match="no row"):
        scalar(connection, "SELECT 1 WHERE false")


def test_an_as_of_join_never_compares_every_row_with_every_other(lake):
    with lake.writing() as connection:
        connection.execute("CREATE TABLE events AS SELECT range AS at FROM range(1000)")
    with lake.reading() as connection:
        connection.execute("CREATE TEMP TABLE points AS SELECT range AS at FROM range(1000)")
        ((_, plan),) = connection.execute(
            "EXPLAIN SELECT events.at FROM points ASOF JOIN events ON points.at >= events.at"
        ).fetchall()
    assert "ASOF_JOIN" in plan
