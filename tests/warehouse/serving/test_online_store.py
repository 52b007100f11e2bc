"""The online table has the features of the lake for every written snapshot, and writes only changes."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.features import feature_views, offline_store
from warehouse.lake import tables
from warehouse.serving.online_store import OnlineTable, OnlineWrite
from warehouse.settings import WarehouseSettings

TIME = datetime(2022, 6, 1, tzinfo=UTC)


@pytest.fixture
def online(built, tmp_path):
    return OnlineTable(tmp_path / "home" / "online.sqlite")


def change(lake, *statements):
    with lake.writing() as connection:
        for statement in statements:
            connection.execute(statement)
    return lake.snapshot()


def stored(online):
    with sqlite3.connect(online.path) as database:
        rows = database.execute("SELECT key, since FROM product ORDER BY key, since").fetchall()
    database.close()
    return rows


def test_a_row_is_what_the_lake_says_of_the_key(built, online):
    snapshot = built.snapshot()
    assert online.write(built, snapshot) == OnlineWrite(8, 0)
    row, missing = online.rows("product", snapshot, ["us:P1", "us:P9"])
    assert missing is None
    assert (row["key"], row["title"], row["brand"], row["title_words"]) == ("us:P1", "Nike Running Shoes 42", "Nike", 4)
    assert row["has_brand_in_title"] is True
    assert set(CONTRACTS["features.products"].columns) <= set(row)
    (query,) = online.rows("query", snapshot, ["us:1"])
    assert (query["query"], query["query_words"]) == ("running shoes", 2)
    with built.reading(snapshot) as connection:
        for entity in offline_store.ENTITIES:
            keys = offline_store.keys(connection, entity)
            expected = offline_store.decoded(connection, entity, keys)
            assert online.count(entity, snapshot) == len(expected) == 4
            assert online.rows(entity, snapshot, list(expected)) == list(expected.values())


def test_answers_come_in_the_order_of_the_keys_also_of_equal_ones(built, online):
    snapshot = built.snapshot()
    online.write(built, snapshot)
    keys = ["us:P2", "es:P1", "us:P2"]
    assert [row["key"] for row in online.rows("product", snapshot, keys)] == keys
    assert online.rows("product", snapshot, []) == []


def test_a_snapshot_that_is_there_is_not_written_again(built, online):
    snapshot = built.snapshot()
    online.write(built, snapshot)
    before = online.path.read_bytes()
    assert online.write(built, snapshot) == OnlineWrite(0, 0)
    assert online.path.read_bytes() == before


def test_only_what_changed_is_written_and_older_snapshots_stay(built, online):
    first = built.snapshot()
    online.write(built, first)
    second = change(
        built,
        "UPDATE staging.products SET title = 'Mug' WHERE key = 'us:P2'",
        "DELETE FROM features.products WHERE key = 'jp:P3'",
    )
    assert online.write(built, second) == OnlineWrite(1, 1)
    assert [since for _, since in stored(online)].count(second) == 2
    keys = ["us:P2", "jp:P3", "us:P1"]
    old, new = online.rows("product", first, keys), online.rows("product", second, keys)
    assert [row and row["title"] for row in old] == ["Plain Mug", "ナイキ シューズ", "Nike Running Shoes 42"]
    assert [row and row["title"] for row in new] == ["Mug", None, "Nike Running Shoes 42"]
    third = change(built, "UPDATE staging.products SET title = 'Plain Mug' WHERE key = 'us:P2'")
    assert online.write(built, third) == OnlineWrite(1, 0)
    assert online.rows("product", third, ["us:P2"]) == online.rows("product", first, ["us:P2"])


def test_a_new_column_exists_from_its_snapshot_on(built, online):
    first = built.snapshot()
    online.write(built, first)
    second = change(built, "ALTER TABLE features.products ADD COLUMN shine DOUBLE")
    assert online.write(built, second) == OnlineWrite(4, 0)
    assert "shine" not in online.rows("product", first, ["us:P1"])[0]
    assert online.rows("product", second, ["us:P1"])[0]["shine"] is None


def test_time_series_features_are_those_in_force_at_the_as_of_time(built, online):
    column = {"name": "price", "meaning": "price in USD"}
    table = FeatureView.model_validate(
        {"name": "prices", "file": "f.parquet", "entity": "product", "ttl_days": 30, "columns": [column]}
    )

    def ingest(*events):
        schema = {"entity_key": pl.String, "event_time": pl.Datetime("us", "UTC"), "price": pl.Float64}
        frame = pl.DataFrame(events, schema=schema, orient="row")
        with built.writing() as connection:
            feature_views.register(connection, [table], WarehouseSettings(as_of=TIME))
            keyed = frame.with_columns(key=pl.format("{}@{}", "entity_key", "event_time"))
            tables.refresh_from(connection, table.contract, keyed)
        return built.snapshot()

    old, later = TIME - timedelta(days=2), TIME + timedelta(days=1)
    first = ingest(("us:P1", old, 5.0), ("us:P1", later, 7.0))
    online.write(built, first)
    prices = [row["prices.price"] for row in online.rows("product", first, ["us:P1", "us:P2"])]
    assert prices == [5.0, None]
    second = ingest(("us:P1", old, 6.0), ("us:P1", later, 7.0))
    assert online.write(built, second) == OnlineWrite(1, 0)
    assert online.rows("product", second, ["us:P1"])[0]["prices.price"] == 6.0
    assert online.rows("product", first, ["us:P1"])[0]["prices.price"] == 5.0


def test_rows_of_a_lake_that_was_set_back_do_not_shine_through(built, online):
    snapshot = built.snapshot()
    online.write(built, snapshot)
    with sqlite3.connect(online.path) as database:
        database.execute("UPDATE product SET since = 99 WHERE key = 'us:P2'")
        database.execute("UPDATE snapshots SET snapshot = 99")
    database.close()
    other = OnlineTable(online.path)
    other.write(built, snapshot)
    assert not OnlineTable(online.path).holds("product", 99)
    assert [since for _, since in stored(other)] == [snapshot] * 4


def test_a_snapshot_that_was_never_written_is_named(built, online):
    for _ in range(2):  # without a file, then with one
        with pytest.raises(WarehouseError, match="has no features as of snapshot 999") as raised:
            online.rows("product", 999, ["us:P1"])
        assert "stockroom build" in raised.value.hint
        online.write(built, built.snapshot())


def test_an_open_table_reads_a_replaced_file(built, online):
    snapshot = built.snapshot()
    online.write(built, snapshot)
    assert online.holds("product", snapshot)
    for file in online.path.parent.glob("online.sqlite*"):
        file.unlink()
    later = change(built, "UPDATE staging.products SET title = 'Mug' WHERE key = 'us:P2'")
    OnlineTable(online.path).write(built, later)
    assert online.rows("product", later, ["us:P2"])[0]["title"] == "Mug"


@pytest.mark.parametrize("content", [b"", b"no database at all, but rather some text that is long enough" * 20])
def test_a_file_left_half_made_is_written_and_a_damaged_one_is_named(built, online, content):
    online.path.write_bytes(content)
    if content:
        with pytest.raises(WarehouseError, match="cannot be used: file is not a database"):
            online.write(built, built.snapshot())
    else:
        assert online.write(built, built.snapshot()) == OnlineWrite(8, 0)


def test_a_write_that_fails_leaves_nothing(built, online, monkeypatch):
    def fail(*_):
        raise RuntimeError("killed")

    monkeypatch.setattr(offline_store, "encoded", fail)
    with pytest.raises(RuntimeError, match="killed"):
        online.write(built, built.snapshot())
    monkeypatch.undo()
    assert not online.holds("product", built.snapshot())
    assert online.write(built, built.snapshot()) == OnlineWrite(8, 0)


@pytest.mark.parametrize(
    ("unknown_key", "near"),
    [("P3", ["jp:P3"]), ("us:p2", ["us:P2"]), ("es:P2", ["us:P2", "es:P1"]), ("us:P\udcff", []), ("xyz", []), ("", [])],
)
def test_keys_near_one_that_is_not_there_are_found(built, online, unknown_key, near):
    snapshot = built.snapshot()
    online.write(built, snapshot)
    assert online.rows("product", snapshot, [unknown_key]) == [None]
    assert online.near("product", snapshot, unknown_key)[: len(near)] == near


def test_a_dry_run_counts_where_nothing_may_be_written(built, online, read_only):
    online.write(built, built.snapshot())
    newest = change(built, "UPDATE staging.products SET title = 'second' WHERE key = 'us:P1'")
    online.write(built, newest)
    before = sorted(path.name for path in online.path.parent.iterdir())
    read_only(online.path.parent)
    closed = OnlineTable(online.path)
    assert closed.prune([newest], dry_run=True) == closed.prune([newest], dry_run=True) == 1
    assert sorted(path.name for path in online.path.parent.iterdir()) == before
    with pytest.raises(WarehouseError):
        closed.prune([newest])


def test_rows_of_no_kept_snapshot_are_pruned_and_the_others_stay(built, online):
    first = built.snapshot()
    online.write(built, first)
    second = change(built, "UPDATE staging.products SET title = 'second' WHERE key = 'us:P1'")
    online.write(built, second)
    third = change(
        built,
        "UPDATE staging.products SET title = 'third' WHERE key = 'us:P1'",
        "DELETE FROM features.products WHERE key = 'jp:P3'",
    )
    online.write(built, third)
    fourth = change(built, "UPDATE staging.products SET title = 'fourth' WHERE key = 'us:P2'")
    online.write(built, fourth)
    keys = ["us:P1", "us:P2", "es:P1", "jp:P3"]
    before = {snapshot: online.rows("product", snapshot, keys) for snapshot in (first, third, fourth)}
    assert online.prune([third], dry_run=True) == 4
    assert online.rows("product", first, keys) == before[first]
    # us:P1 of the first and the second, and jp:P3 with what said that it was gone; the newest snapshot stays by itself
    size = online.path.stat().st_size
    assert online.prune([third]) == 4
    assert online.path.stat().st_size <= size
    for snapshot in (third, fourth):
        assert online.rows("product", snapshot, keys) == before[snapshot]
        assert online.count("product", snapshot) == 3
    assert not online.holds("product", first)
    with pytest.raises(WarehouseError, match="has no features as of snapshot"):
        OnlineTable(online.path).rows("product", second, keys)
    assert [key for key, _ in stored(online)] == ["es:P1", "us:P1", "us:P2", "us:P2"]
    assert online.prune([third]) == 0
    fifth = change(built, "UPDATE staging.products SET title = 'fifth' WHERE key = 'es:P1'")
    assert online.write(built, fifth) == OnlineWrite(1, 0)


@pytest.mark.parametrize("gone", [(), ("-shm",), ("-shm", "-wal")], ids=["live", "without index", "without log"])
def test_a_table_beside_which_nothing_may_be_written_is_read_with_what_its_log_holds(tmp_path, read_only, gone):
    home, copied = tmp_path / "home", tmp_path / "copied"
    home.mkdir()
    with closing(sqlite3.connect(home / "online.sqlite", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE snapshots (entity, snapshot, columns, rows)")
        writer.execute("""INSERT INTO snapshots VALUES ('product', 7, '["key"]', 3)""")
        if "-wal" in gone:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(home, copied)
    for ending in gone:
        (copied / f"online.sqlite{ending}").unlink()
    before = sorted(path.name for path in copied.iterdir())
    read_only(copied)
    online = OnlineTable(copied / "online.sqlite")
    assert online.holds("product", 7)
    assert online.count("product", 7) == 3
    assert sorted(path.name for path in copied.iterdir()) == before
