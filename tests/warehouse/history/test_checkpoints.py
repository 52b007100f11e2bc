"""Checkpoints: each snapshot that ends a run becomes one once, with its changes; a user names it by number or by time."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.history import checkpoints
from warehouse.history.checkpoints import Checkpoint
from warehouse.lake.lake import Lake
from warehouse.lake.tables import Written
from warehouse.operations import cv_folds

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def created(lake: Lake) -> list[int]:
    """Create seven checkpoints, an hour apart, with another snapshot before each; return their snapshots."""
    made = []
    for hour in range(7):
        with lake.writing() as connection:
            connection.execute(f"CREATE TABLE torn{hour} (n INTEGER)")
        made.append(checkpoints.create(lake, f"run-{hour}", NOON + timedelta(hours=hour)))
    return made


@pytest.fixture
def change():
    def make(lake, name):
        with lake.writing() as connection:
            connection.execute(f"CREATE TABLE {name} (n INTEGER)")

    return make


def test_the_snapshot_of_a_checkpoint_is_the_content_snapshot(lake, change):
    change(lake, "one")
    newest = lake.snapshot()
    assert checkpoints.create(lake, "r1", NOON) == newest == checkpoints.content_snapshot(lake)
    assert checkpoints.list_checkpoints(lake) == [Checkpoint(newest, "r1", NOON)]


def test_creating_an_existing_checkpoint_writes_nothing(lake, change):
    change(lake, "one")
    created = checkpoints.create(lake, "r1", NOON)
    newest = lake.snapshot()
    assert checkpoints.create(lake, "r2", NOON) == created
    assert lake.snapshot() == newest
    assert [point.run_id for point in checkpoints.list_checkpoints(lake)] == ["r1"]


def test_each_changed_state_gets_a_checkpoint(lake, change):
    change(lake, "one")
    first = checkpoints.create(lake, "r1", NOON)
    change(lake, "two")
    second = checkpoints.create(lake, "r2", NOON)
    assert [point.snapshot for point in checkpoints.list_checkpoints(lake)] == [first, second]
    assert second == checkpoints.content_snapshot(lake)


def test_a_checkpoint_has_the_state_of_its_run(lake, change):
    change(lake, "one")
    created = checkpoints.create(lake, "r1", NOON)
    change(lake, "two")
    with lake.reading(created) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("one",)]


def test_a_snapshot_between_checkpoints_is_refused(lake, change):
    for name in ("one", "two", "three"):
        change(lake, name)
    created = checkpoints.create(lake, "r1", NOON)
    assert [point.snapshot for point in checkpoints.list_checkpoints(lake)] == [created]


def test_before_the_first_run_there_are_no_checkpoints(lake, change):
    with pytest.raises(WarehouseError, match="no data in"):
        checkpoints.list_checkpoints(lake)
    change(lake, "one")
    assert checkpoints.list_checkpoints(lake) == []


def test_a_checkpoint_records_the_changes_since_the_previous_one(built: Lake) -> None:
    first = checkpoints.create(built, "run-1", NOON)
    with built.writing() as connection:
        connection.execute("UPDATE staging.products SET title = 'other', input_hash = 'other' WHERE key = 'us:P2'")
    second = checkpoints.create(built, "run-2", NOON)
    history = checkpoints.history(built)
    assert history[first]["raw.products"] == Written(inserted=4, updated=0, deleted=0)
    assert history[second] == {"staging.products": Written(inserted=0, updated=1, deleted=0)}


def test_a_checkpoint_is_found_by_number_and_by_time(lake: Lake, created: list[int]) -> None:
    assert checkpoints.find_checkpoint(lake).snapshot == created[-1]
    assert checkpoints.find_checkpoint(lake, str(created[2])).snapshot == created[2]
    for text in ("2024-05-01T14:00:00Z", "2024-05-01T14:59:59", "2024-05-01 16:30:00+02:00"):
        assert checkpoints.find_checkpoint(lake, text).snapshot == created[2], text
    assert checkpoints.find_checkpoint(lake, "2030-01-01").snapshot == created[-1]


def test_a_printed_time_is_valid_as_input(lake: Lake) -> None:
    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA raw")
    checkpoints.create(lake, "run", NOON + timedelta(microseconds=142275))
    point = checkpoints.find_checkpoint(lake)
    assert checkpoints.find_checkpoint(lake, checkpoints.utc(point.ended_at)) == point


def test_an_error_for_another_snapshot_names_the_nearest_checkpoints(lake: Lake, created: list[int]) -> None:
    torn = created[5] - 1
    with pytest.raises(WarehouseError) as raised:
        checkpoints.find_checkpoint(lake, str(torn))
    assert f"snapshot {torn} is not a checkpoint" in raised.value.message
    assert f"{created[5]} (2024-05-01T17:00:00Z)" in raised.value.hint
    assert f"the nearest are {created[2]} (" in raised.value.hint
    assert "and 2 more" in raised.value.hint


@pytest.mark.parametrize("text", ["999999999999999999999", "-1", "0"])
def test_a_number_that_is_no_snapshot_is_refused(lake: Lake, created: list[int], text: str) -> None:
    with pytest.raises(WarehouseError, match="is not a checkpoint"):
        checkpoints.find_checkpoint(lake, text)


def test_a_time_before_the_first_checkpoint_names_the_first_checkpoints(lake: Lake, created: list[int]) -> None:
    with pytest.raises(WarehouseError) as raised:
        checkpoints.find_checkpoint(lake, "2024-05-01T11:59:59Z")
    assert raised.value.message == "no run had ended at 2024-05-01T11:59:59Z"
    assert f"the nearest are {created[0]} (2024-05-01T12:00:00Z)" in raised.value.hint


def test_what_is_neither_snapshot_nor_time_is_refused(lake: Lake, created: list[int]) -> None:
    with pytest.raises(WarehouseError, match="'yesterday' is neither a snapshot nor a time"):
        checkpoints.find_checkpoint(lake, "yesterday")


def test_without_any_checkpoint_the_hint_says_how_to_create_one(filled: Lake) -> None:
    with pytest.raises(WarehouseError, match="no run has succeeded"):
        checkpoints.find_checkpoint(filled, "3")
    assert checkpoints.history(filled) == {}


def test_recorded_folds_need_no_checkpoint(lake, change):
    change(lake, "one")
    created = checkpoints.create(lake, "run", NOON)
    row = {"fold": 0, "locale": "all", "ranker": "model", "metric": "mrr", "low": None, "high": None, "queries": 3}
    for value in (0.5, 0.5, 0.6):
        cv_folds.record(lake, pl.DataFrame([row | {"value": value}]), folds=2, snapshot=created)
        assert lake.snapshot() > created
        assert checkpoints.create(lake, "later", NOON) == created
    with lake.reading() as connection:
        written = connection.sql("SELECT key, value, folds FROM evaluation.folds").fetchall()
    assert written == [("0:all:model:mrr", 0.6, 2)]
    change(lake, "two")
    assert checkpoints.create(lake, "later", NOON) > created
