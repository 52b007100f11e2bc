"""As-of points are the snapshots that end a run, each marked once."""

from datetime import UTC, datetime

import pytest

from warehouse import snapshots
from warehouse.errors import WarehouseError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def change():
    def make(lake, name):
        with lake.writing() as connection:
            connection.execute(f"CREATE TABLE {name} (n INTEGER)")

    return make


def test_a_marked_state_is_the_newest_snapshot(lake, change):
    change(lake, "one")
    marked = snapshots.mark(lake, "r1", NOON)
    assert marked == lake.snapshot()
    assert snapshots.points(lake).rows() == [(marked, "r1", NOON)]


def test_marking_what_is_marked_writes_nothing(lake, change):
    change(lake, "one")
    marked = snapshots.mark(lake, "r1", NOON)
    assert snapshots.mark(lake, "r2", NOON) == marked
    assert lake.snapshot() == marked
    assert snapshots.points(lake)["run_id"].to_list() == ["r1"]


def test_each_changed_state_gets_a_point_of_its_own_oldest_first(lake, change):
    change(lake, "one")
    first = snapshots.mark(lake, "r1", NOON)
    change(lake, "two")
    second = snapshots.mark(lake, "r2", NOON)
    assert snapshots.points(lake)["snapshot"].to_list() == [first, second]
    assert second == lake.snapshot()


def test_a_point_holds_the_state_of_its_run_and_itself(lake, change):
    change(lake, "one")
    marked = snapshots.mark(lake, "r1", NOON)
    change(lake, "two")
    with lake.reading(marked) as connection:
        assert {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()} == {
            "one",
            "snapshots",
        }
        assert connection.execute("SELECT snapshot FROM registry.snapshots").fetchall() == [(marked,)]


def test_what_lies_between_points_is_no_point(lake, change):
    for name in ("one", "two", "three"):
        change(lake, name)
    marked = snapshots.mark(lake, "r1", NOON)
    assert snapshots.points(lake)["snapshot"].to_list() == [marked]


def test_before_the_first_run_there_are_no_points(lake, change):
    with pytest.raises(WarehouseError, match="no data in"):
        snapshots.points(lake)
    change(lake, "one")
    assert snapshots.points(lake).is_empty()
    assert snapshots.points(lake).columns == ["snapshot", "run_id", "ended_at"]
