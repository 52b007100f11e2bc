"""The change feed returns every row that was written or deleted after a snapshot, or reports that it is incomplete."""

import random

import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.history import checkpoints
from warehouse.lake import catalog, change_feed, tables
from warehouse.lake.tables import Written

SOURCES = CONTRACTS["raw.sources"]


@pytest.fixture
def run(lake):
    """Return a function that runs statements, each in its own transaction, and returns the newest snapshot."""

    def make(*statements):
        for statement in statements:
            with lake.writing() as connection:
                tables.ensure(connection, SOURCES)
                connection.execute(statement)
        return lake.snapshot()

    return make


def put(*keys, source="web"):
    rows = ", ".join(f"('{key}', {key}, '{source}', 'hash of {source}')" for key in keys)
    return f"INSERT INTO raw.sources VALUES {rows}"


def remove(*keys):
    return f"DELETE FROM raw.sources WHERE query_id IN {(*keys, 0)}"


def keys(lake, since):
    with lake.reading() as connection:
        changed = change_feed.changed_keys(connection, [SOURCES], since)
    return None if changed is None else sorted(changed["key"])


def counts(lake, since):
    with lake.reading() as connection:
        return change_feed.count_changes(connection, SOURCES, since)


def test_written_replaced_and_deleted_rows_are_in_the_feed(lake, run):
    since = run(put(1, 2, 3, 4))
    run(remove(1), remove(2), put(2, source="shop"), put(5), "UPDATE raw.sources SET source = 'app' WHERE query_id = 3")
    assert keys(lake, since) == ["1", "2", "3", "5"]
    assert counts(lake, since) == Written(inserted=1, updated=1, deleted=1)  # the update left the hash as it was
    assert keys(lake, lake.snapshot()) == []
    assert counts(lake, lake.snapshot()) == Written(0, 0, 0)


def test_rows_written_long_before_are_in_the_feed_when_deleted(lake, run):
    run(put(1, 2, 3))
    with lake.writing() as connection:
        tables.ensure(connection, CONTRACTS["raw.files"])
    since = run(put(4))
    run(remove(2), put(5))
    assert keys(lake, since) == ["2", "5"]
    assert counts(lake, since) == Written(inserted=1, updated=0, deleted=1)


def test_a_snapshot_that_only_deletes_more_rows_of_a_file_is_in_the_feed(lake, run):
    run(put(1, 2, 3, 4, 5))
    since = run(remove(1))
    for key in (2, 3):
        newest = run(remove(key))
        with lake.reading() as connection:
            assert catalog.last_changes(connection)["raw.sources"] == newest
        assert keys(lake, since) == [str(key)]
        assert counts(lake, since) == Written(inserted=0, updated=0, deleted=1)
        since = newest


def test_an_inserted_and_deleted_row_is_in_the_feed_but_does_not_count(lake, run):
    since = run(put(1))
    run(put(2), remove(2), remove(1), put(1))
    assert keys(lake, since) == ["1", "2"]
    assert counts(lake, since) == Written(0, 0, 0)


def test_what_other_tables_saw_is_of_no_concern(lake, run):
    since = run(put(1))
    with lake.writing() as connection:
        tables.ensure(connection, CONTRACTS["raw.files"])
    assert keys(lake, since) == []
    with lake.reading() as connection:
        last = catalog.last_changes(connection)
    assert last["raw.sources"] <= since < last["raw.files"]


def test_the_feed_is_whole_after_snapshots_in_between_expired(lake, run):
    since = run(put(*range(1, 9)))
    middle = [run(remove(1)), run(put(9), remove(2)), run(remove(9), put(2, source="shop"))]
    run(remove(3))
    checkpoints.expire(lake, middle, lambda _key: ())
    assert {"1", "2", "3"} <= set(keys(lake, since)) <= {"1", "2", "3", "9"}
    assert counts(lake, since) == Written(inserted=0, updated=1, deleted=2)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE raw.sources ADD COLUMN more INTEGER",
        "DROP TABLE raw.sources; CREATE TABLE raw.sources AS SELECT '1' AS key, 1 AS query_id, 'h' AS input_hash",
    ],
)
def test_the_changes_of_a_table_with_other_columns_are_unknown(lake, run, statement):
    since = run(put(1))
    with lake.writing() as connection:
        connection.execute(statement)
    assert keys(lake, since) is None
    assert counts(lake, since) is None


def test_a_comment_changes_nothing(lake, run):
    since = run(put(1))
    run("COMMENT ON COLUMN raw.sources.source IS 'in other words'")
    assert keys(lake, since) == []


def test_the_changes_after_an_expired_snapshot_are_unknown(lake, run):
    since = run(put(1))
    run(put(2))
    checkpoints.expire(lake, [since], lambda _key: ())
    assert keys(lake, since) is None


@pytest.mark.parametrize("seed", range(12))
def test_what_the_feed_counts_is_what_two_snapshots_differ_in(lake, run, seed):
    dice = random.Random(seed)
    points = [run(put(*range(1, 40)))]
    for number in range(8):
        some = dice.sample(range(1, 60), 4)
        change = dice.choice(
            [
                remove(*some),
                put(*(1000 + 10 * number + place for place in range(3)), source=f"s{number}"),
                f"UPDATE raw.sources SET source = 'u', input_hash = 'u{number}' WHERE query_id IN {tuple(some)}",
                f"DELETE FROM raw.sources WHERE query_id IN {tuple(some)}; "
                f"INSERT INTO raw.sources SELECT key, query_id, 'again', 'again {number}' FROM raw.sources "
                f"AT (VERSION => {points[0]}) WHERE query_id IN {tuple(some)}",
                "DELETE FROM raw.sources WHERE query_id > 1000",
            ]
        )
        points.append(run(change))
    with lake.reading() as connection:
        rows, last = catalog.row_counts(connection)["raw.sources"], catalog.last_changes(connection)["raw.sources"]
        assert catalog.state(connection).data_version("raw.sources") == f"{rows}-{last}"
        old_and_new = "(FROM raw.sources AT (VERSION => {})) AS old FULL JOIN raw.sources AS new USING (key)"
        for since in points:
            assert (
                change_feed.count_changes(connection, SOURCES, since)
                == connection.execute(
                    "SELECT count(*) FILTER (old.key IS NULL), "
                    "count(*) FILTER (old.input_hash <> new.input_hash), count(*) FILTER (new.key IS NULL) "
                    f"FROM {old_and_new.format(since)}"
                ).fetchone()
            )
