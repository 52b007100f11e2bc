"""A replay ingests the last full files and the deltas after them, and ends with equal tables."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas, ensure
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import input_files
from warehouse.lake.sync_tables import RAW_TABLES, sync
from warehouse.operations.replay import archive_files, ingest_history, prune_archive, replay
from warehouse.settings import WarehouseSettings

Row = dict[str, Any]
Write = Callable[..., Path]
NOW = datetime(2026, 1, 3, tzinfo=UTC)
SETTINGS = WarehouseSettings(threads=1, batch_rows=3)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", SETTINGS)
    return home


@pytest.fixture
def beside(tmp_path: Path) -> Home:
    home = Home(tmp_path / "beside", SETTINGS)
    return home


def bring_in(home: Home, folder: Path | None = None, *deltas: Path) -> None:
    """Ingest files as the asset of the raw tables does."""
    files, full = check_deltas(deltas, NOW), input_files(folder, NOW) if folder else []
    archive_files(home, [*full, *files])
    if folder:
        ingest(home.lake, folder, full)
    apply_deltas(home.lake, files)
    with home.lake.writing() as connection:
        ensure(connection)
    prune_archive(home)


def delta(folder: Path, name: str, *rows: Row) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"product_locale": "us", **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def test_deltas_of_one_table_outlive_the_full_file_of_another(
    home: Home, beside: Home, tmp_path: Path, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    bring_in(home, write())
    before = delta(tmp_path, "before.jsonl", {"op": "delete", "product_id": "P1", "event_time": "2026-01-02T00:00:00Z"})
    label = delta(tmp_path, "label.jsonl", {"op": "delete", "product_id": "P2", "query_id": 2})
    bring_in(home, None, before, label)
    bring_in(home, write(products=[*products, product("P6", "us", "Rug")]))
    after = delta(tmp_path, "after.jsonl", {"op": "delete", "product_id": "P6", "event_time": "2026-01-01T00:00:00Z"})
    bring_in(home, None, after)
    for path in (before, label, after):
        path.unlink()

    ingested = ingest_history(home.lake)
    assert [(each.name, each.superseded) for each in ingested.deltas] == [
        ("before.jsonl", True),
        ("label.jsonl", False),
        ("after.jsonl", False),
    ]
    assert {path.stem for path in home.archive.root.iterdir()} == ingested.needed
    assert len(ingested.needed) == 5
    replay(home, beside)
    with beside.lake.reading() as connection:  # after.jsonl is older than what the full file replaced
        assert connection.sql("SELECT late FROM raw.deltas ORDER BY sequence_number").fetchall() == [(0,), (0,), (1,)]
    assert sync(home.lake, beside.lake, RAW_TABLES) == {}


def test_a_sync_writes_the_differences_and_counts_them(home: Home, beside: Home, write: Write) -> None:
    bring_in(home, write())
    replay(home, beside)
    with home.lake.writing() as connection:
        connection.execute("UPDATE raw.products SET product_brand = 'Puma' WHERE key = 'us:P1'")
        connection.execute("DELETE FROM raw.products WHERE key = 'us:P2'")
        connection.execute(
            "INSERT INTO raw.products BY NAME SELECT * REPLACE ('us:P9' AS key) FROM raw.products LIMIT 1"
        )
    before = home.lake.snapshot()
    assert sync(home.lake, beside.lake, RAW_TABLES) == {"raw.products": (1, 1, 1)}
    assert home.lake.snapshot() == before + 1
    assert sync(home.lake, beside.lake, RAW_TABLES) == {}
    assert home.lake.snapshot() == before + 1


def test_without_the_setting_nothing_is_archived(tmp_path: Path, write: Write, beside: Home) -> None:
    home = Home(tmp_path / "home", SETTINGS.model_copy(update={"keep_files": False}))
    bring_in(home, write())
    assert not home.archive.root.exists()
    with pytest.raises(WarehouseError, match="has no copy of the file"):
        replay(home, beside)
    assert not beside.lake.exists


def test_a_lake_without_the_order_of_files_needs_a_full_snapshot_for_a_replay(
    home: Home, tmp_path: Path, write: Write, products: list[Row], beside: Home
) -> None:
    bring_in(home, write())
    with home.lake.writing() as connection:
        connection.execute("ALTER TABLE raw.files DROP COLUMN after_delta")
    assert len(ingest_history(home.lake).needed) == 3
    bring_in(home, None, delta(tmp_path, "a.jsonl", {"op": "delete", "product_id": "P1"}))
    assert len(ingest_history(home.lake).needed) == 4
    with pytest.raises(WarehouseError, match=r"raw\.products was ingested by an earlier version"):
        replay(home, beside)
    assert not beside.lake.exists
    bring_in(home, write(products=products[1:]))
    replay(home, beside)
    assert sync(home.lake, beside.lake, RAW_TABLES) == {"raw.files": (0, 2, 0)}  # what was not noted of the others


def test_a_replay_refuses_the_rows_that_were_in_the_future_at_ingest(
    home: Home, beside: Home, tmp_path: Path, write: Write
) -> None:
    folder, soon = write(), NOW + timedelta(seconds=1)
    examples = folder / "shopping_queries_dataset_examples.parquet"
    pl.read_parquet(examples).with_columns(
        event_time=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(soon)).otherwise(pl.lit(NOW))
    ).write_parquet(examples)
    row = {"op": "upsert", "product_title": "Lamp"}
    rows = [row | {"product_id": "N1"}, row | {"product_id": "N2", "event_time": soon.isoformat()}]
    bring_in(home, folder, delta(tmp_path, "a.jsonl", *rows))
    with home.lake.reading() as connection:
        refused = connection.sql("SELECT key, rule FROM quarantine.rows ORDER BY ALL").fetchall()
    assert refused == [("us:1:P1", "event_time_in_future"), ("us:N2", "event_time_in_future")]
    replay(home, beside)
    assert sync(home.lake, beside.lake, RAW_TABLES) == {}
