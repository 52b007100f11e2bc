"""A home of an earlier format is upgraded and loses nothing; a home of a later format is refused."""

import json
from pathlib import Path

import pytest

from warehouse import home_format
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.ingest.file_archive import FileArchive
from warehouse.lake import tables
from warehouse.operations.delta_history import delta_history
from warehouse.operations.replay import ingest_history
from warehouse.readers.file_hash import sha256
from warehouse.settings import WarehouseSettings

FORMAT_1 = (Path(__file__).parent / "format_1.sql").read_text(encoding="utf-8")
SHA = "0" * 64
ROWS = f"""
INSERT INTO raw.products SELECT * FROM (VALUES
    ('us:P1', 'P1', 'us', 'Red mug', NULL, NULL, 'Acme', 'red', 'old:1'),
    ('us:P2', 'P2', 'us', 'Socks', NULL, NULL, NULL, NULL, 'old:2')
);
INSERT INTO raw.judgements BY NAME
    SELECT 'us:1:P1' AS key, 1 AS example_id, 'mug' AS query, 1 AS query_id, 'P1' AS product_id, 'us' AS product_locale,
    'E' AS esci_label, 1 AS small_version, 1 AS large_version, 'train' AS split, 'old' AS input_hash;
INSERT INTO raw.files BY NAME
    SELECT 'raw.products' AS key, 'p.parquet' AS name, '{SHA}' AS sha256, 9 AS size_bytes, 3 AS rows, 0 AS after_arrival,
    '{SHA}:old' AS input_hash;
INSERT INTO raw.deltas BY NAME
    SELECT '1' AS key, 1 AS arrival, 'd.jsonl' AS name, '{SHA}' AS sha256, 9 AS size_bytes, 'raw.products' AS "table", 1 AS rows,
    0 AS upserts, 1 AS deletes, 0 AS refused, 0 AS inserted, 0 AS updated, 1 AS deleted, 0 AS unchanged, 0 AS unknown,
    0 AS overruled, 0 AS stale, 1 AS snapshot, '{SHA}' AS input_hash;
INSERT INTO raw.events VALUES ('raw.products us:P3', 'raw.products', 'us:P3', 'delete', '2024-02-01T00:00:00Z', 1, '1');
INSERT INTO staging.products BY NAME
    SELECT 'us:P1' AS key, 'P1' AS product_id, 'us' AS locale, 'Red mug' AS title, 'old:1:rules:old' AS input_hash;
INSERT INTO evaluation.metrics BY NAME SELECT 'm' AS key, 'model' AS model_id, 'ndcg' AS metric, 0.5 AS value;
INSERT INTO registry.snapshots VALUES ('2', 2, 'run-1', '2024-03-01T00:00:00Z', 'old code', 'run-1');
INSERT INTO registry.changes VALUES ('2:raw.products', 2, 'raw.products', 2, 2, 0, 0, '2-ff', 'h');
"""


@pytest.fixture
def home(tmp_path):
    """Return a home as written by the last version of format 1."""
    home = Home(tmp_path / "home", WarehouseSettings(threads=1))
    with home.lake.writing() as connection:
        connection.execute(FORMAT_1)
    with home.lake.writing() as connection:
        connection.execute(ROWS)
    return home


def count(home, table):
    with home.lake.reading() as connection:
        return tables.count(connection, table)


def test_derived_tables_are_rebuilt_and_the_others_stay(home, derive):
    with home.lake.reading() as connection:
        kept = (table for table in CONTRACTS if not tables.is_derived(table))
        permanent = [table for table in kept if tables.exists(connection, table)]
        before = {table: tables.count(connection, table) for table in permanent}
    with home.lake.writing() as connection:
        for contract in CONTRACTS.values():
            tables.ensure(connection, contract)
    derive(home.lake)
    assert {table: count(home, table) for table in permanent} == before
    assert sum(before.values()) == 9
    assert count(home, "staging.products") == count(home, "features.products") == 2
    with home.lake.reading() as connection:
        assert connection.sql("SELECT fingerprint FROM registry.changes").fetchall() == [("2-ff",)]


def test_journal_and_tombstones_continue(home, tmp_path):
    late = {
        "op": "upsert",
        "product_locale": "us",
        "product_id": "P3",
        "product_title": "Late",
        "event_time": "2024-01-01",
    }
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps(late) + "\n")
    home.upgrade()
    (done,) = apply_deltas(home.lake, check_deltas([path]))
    assert (done.sequence_number, done.late, done.inserted) == (2, 1, 0)
    assert count(home, "raw.deltas") == 2


def test_checkpoints_and_their_history_continue(home, derive):
    assert [point.snapshot for point in checkpoints.list_checkpoints(home.lake)] == [2]
    assert checkpoints.content_snapshot(home.lake) == 2
    derive(home.lake)
    assert checkpoints.create(home.lake, "run-2", checkpoints.list_checkpoints(home.lake)[0].ended_at) > 2
    assert sorted(checkpoints.history(home.lake)) == [
        point.snapshot for point in checkpoints.list_checkpoints(home.lake)
    ]


@pytest.mark.parametrize(("kind", "value"), [("VARCHAR", "'7'"), ("INTEGER", "7"), ("DOUBLE", "7.0")])
def test_a_permanent_table_of_other_types_is_converted(home, kind, value):
    with home.lake.writing() as connection:
        connection.execute(
            f"DROP TABLE raw.events; CREATE TABLE raw.events (key VARCHAR, arrival {kind}, more VARCHAR)"
        )
        connection.execute(f"INSERT INTO raw.events VALUES ('k', {value}, 'of mine')")
    with home.lake.writing() as connection:
        tables.ensure(connection, CONTRACTS["raw.events"])
    with home.lake.reading() as connection:
        assert connection.sql("SELECT key, sequence_number, more FROM raw.events").fetchall() == [("k", 7, "of mine")]
        types = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE raw.events)").fetchall())
        assert types["sequence_number"] == "BIGINT"


def test_what_cannot_be_converted_is_refused_and_stays(home):
    with home.lake.writing() as connection:
        connection.execute("DROP TABLE raw.events; CREATE TABLE raw.events AS SELECT 'k' AS key, 'soon' AS arrival")

    def ensure():
        with home.lake.writing() as connection:
            tables.ensure(connection, CONTRACTS["raw.events"])

    with pytest.raises(
        WarehouseError, match=r"1 value of raw\.events\.sequence_number in this home cannot be converted to BIGINT"
    ):
        ensure()
    assert count(home, "raw.events") == 1


def test_a_derived_table_of_another_type_is_rebuilt(home, derive):
    derive(home.lake)
    with home.lake.writing() as connection:
        connection.execute("ALTER TABLE features.products DROP COLUMN title_chars")
        connection.execute("ALTER TABLE features.products ADD COLUMN title_chars VARCHAR")
    derive(home.lake, whole=True)
    with home.lake.reading() as connection:
        assert connection.sql("SELECT title_chars FROM features.products ORDER BY key").fetchall() == [(7,), (5,)]


def test_a_home_of_a_later_format_is_refused(home):
    later = home_format.FORMAT + 1
    (home.root / "format").write_text(f"{later}\n")
    with pytest.raises(
        WarehouseError, match=f"has format {later}, and this version of Stockroom reads formats up to {later - 1}"
    ):
        Home(home.root)
    (home.root / "format").write_text("new")
    with pytest.raises(WarehouseError, match="has no format number"):
        Home(home.root)


def test_a_run_writes_the_format_once(home):
    for _ in range(2):
        home_format.claim(home.root)
        assert (home.root / "format").read_text() == f"{home_format.FORMAT}\n"
    Home(home.root)


def test_a_run_upgrades_the_tables_that_no_run_rebuilds_and_only_once(home):
    home.upgrade()
    newest = home.lake.snapshot()
    with home.lake.reading() as connection:
        assert connection.sql("SELECT key, ranker, value FROM evaluation.metrics").fetchall() == [("m", None, 0.5)]
        assert {"late", "superseded", "checked_at"} <= set(tables.columns(connection, "raw.deltas"))
        for table in ("raw.deltas", "raw.events"):
            assert connection.sql(f"SELECT sequence_number FROM {table}").fetchall() == [(1,)]
        assert connection.sql("SELECT after_delta FROM raw.files").fetchall() == [(0,)]
        assert not {"arrival", "after_arrival"} & {
            name for table in CONTRACTS for name in tables.columns(connection, table)
        }
        assert "bm25_catalog_rank" in tables.columns(connection, "evaluation.rankings")
        assert not any(tables.exists(connection, table) for table in tables.REPLACED)
        for contract in CONTRACTS.values():
            assert tables.is_derived(contract.table) or set(contract.columns) <= set(
                tables.columns(connection, contract.table) or contract.columns
            )
    assert [row["late"] for row in delta_history(home)] == [0]
    home.upgrade()
    assert home.lake.snapshot() == newest


def test_the_upgrade_renames_the_archive(home):
    former = FileArchive(home.root / "arrived")
    file = home.root / "d.jsonl"
    file.write_text("{}")
    former.add(file, sha256(file))
    home.upgrade()
    assert home.archive.has(sha256(file))
    assert not former.root.exists()


def test_a_home_of_format_3_is_upgraded(home):
    home.upgrade()
    with home.lake.writing() as connection:
        connection.execute("ALTER TABLE raw.deltas RENAME COLUMN sequence_number TO arrival")
        connection.execute("ALTER TABLE raw.events RENAME COLUMN sequence_number TO arrival")
        connection.execute("ALTER TABLE raw.files RENAME COLUMN after_delta TO after_arrival")
    (home.root / "format").write_text("3\n")
    Home(home.root).upgrade()
    assert [row["sequence_number"] for row in delta_history(home)] == [1]
    history = ingest_history(home.lake)
    assert [file.after_delta for file in history.snapshots] == [0]
    assert [delta.sequence_number for delta in history.deltas] == [1]


def test_before_the_upgrade_a_failed_query_names_the_earlier_format(home):
    with pytest.raises(WarehouseError, match="written by an earlier version"), home_format.reading(home.root):
        delta_history(home)
    home.upgrade()
    with pytest.raises(WarehouseError, match="a fault"), home_format.reading(home.root):
        raise WarehouseError("a fault", "")
