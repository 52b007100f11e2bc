"""The change set of a run: the rows that a folder changed, or whole tables if it changes none or nearly all."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.run_context import RunContext
from assets.run_end import written_down
from assets.tables.features import feature_products
from assets.tables.raw import raw_tables
from assets.tables.staging import staging_products
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import feature_statistics
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.lake import incremental, tables
from warehouse.lake.lake import quote
from warehouse.settings import WarehouseSettings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
IDS = [f"P{number}" for number in range(10)]
FEATURES = CONTRACTS["features.products"]
SETTINGS = WarehouseSettings(threads=1)


def folder(path: Path, titles: dict[str, str]) -> Path:
    path.mkdir()
    text = ("product_description", "product_bullet_point", "product_brand", "product_color")
    products = [
        {"product_id": name, "product_title": titles.get(name, "mug"), **dict.fromkeys(text), "product_locale": "us"}
        for name in IDS
    ]
    schema = dict.fromkeys(products[0], pl.String)
    pl.DataFrame(products, schema=schema).write_parquet(path / "shopping_queries_dataset_products.parquet")
    numbers = dict.fromkeys(("example_id", "query_id", "small_version", "large_version"), 1)
    judged = numbers | {"query": "mug", "product_id": "P1", "product_locale": "us", "esci_label": "E", "split": "train"}
    pl.DataFrame([judged]).write_parquet(path / "shopping_queries_dataset_examples.parquet")
    return path


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files and a home of ten products, of which one's features were spoiled before the last point."""
    root = tmp_path_factory.mktemp("begun")
    home = Home(root / "home", SETTINGS)
    run(home, folder(root / "first", {}))
    spoil(home, "us:P9")
    return root


@pytest.fixture
def home(begun: Path, tmp_path: Path) -> Home:
    """Return a copy of that home, its files beside it."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path / "home", SETTINGS)


def run(home: Home, raw: Path | None) -> dict[str, str]:
    """Bring a folder in, end the run, and return the data versions that its assets told."""
    chosen: list[dg.AssetsDefinition] = [raw_tables, staging_products, feature_products]
    run_context = RunContext(home, raw=raw)
    with written_down(run_context):
        done = dg.materialize(chosen, resources={"run_context": run_context})
    facts = {
        ".".join(event.asset_key.path): event.materialization.tags["dagster/data_version"]
        for event in done.get_asset_materialization_events()
        if event.asset_key is not None
    }
    checkpoints.create(home.lake, done.run_id, NOON)
    return facts


def spoil(home: Home, key: str) -> None:
    with home.lake.writing() as connection:
        connection.execute(
            f"UPDATE {FEATURES.table} SET title_chars = 0, input_hash = 'spoiled' WHERE key = {quote(key)}"
        )
    checkpoints.create(home.lake, "spoiled", NOON)


def title_chars(home: Home) -> dict[str, int]:
    with home.lake.reading() as connection:
        return dict(connection.sql(f"SELECT product_id, title_chars FROM {FEATURES.table}").fetchall())


def test_what_a_folder_changed_is_followed_and_no_other_row_is_looked_at(home: Home, tmp_path: Path) -> None:
    run(home, folder(tmp_path / "second", {"P1": "big mug"}))
    assert title_chars(home) == dict.fromkeys(IDS, 3) | {"P1": 7, "P9": 0}


def test_the_data_version_of_a_table_is_another_only_where_the_table_is(home: Home, tmp_path: Path) -> None:
    first, again = run(home, tmp_path / "first"), run(home, tmp_path / "first")
    second = run(home, folder(tmp_path / "second", {"P1": "big mug"}))
    assert first == again
    assert {table for table in first if first[table] != second[table]} == {
        "raw.files",
        "raw.products",
        "staging.products",
        "features.products",
    }


def test_statistics_are_those_of_the_whole_table_as_it_now_is(home: Home, tmp_path: Path) -> None:
    run(home, folder(tmp_path / "second", {"P1": "big mug"}))
    with home.lake.reading() as connection:
        version = feature_statistics.versions(connection, FEATURES.table)[-1]
        assert version == tables.fingerprint(connection, FEATURES)
        counted = feature_statistics.stats(connection, FEATURES.table, version)
    (row,) = counted.filter(pl.col("column_name") == "title_chars", pl.col("locale") == "all").to_dicts()
    assert (row["rows"], row["minimum"], row["maximum"]) == (10, 0, 7)


def test_a_run_into_which_nothing_comes_mends_what_went_wrong(home: Home) -> None:
    run(home, None)
    assert title_chars(home) == dict.fromkeys(IDS, 3)


def test_where_much_changed_whole_tables_are_compared(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "FEW", 0)
    run(home, folder(tmp_path / "second", dict.fromkeys(IDS[:4], "big mug")))
    assert title_chars(home) == dict.fromkeys(IDS[:4], 7) | dict.fromkeys(IDS[4:], 3)


def test_after_a_run_that_did_not_end_a_change_is_followed_from_where_it_was_left(home: Home, tmp_path: Path) -> None:
    second = folder(tmp_path / "second", {"P1": "big mug"})
    dg.materialize([raw_tables], resources={"run_context": RunContext(home, raw=second)})
    run(home, second)
    assert title_chars(home) == dict.fromkeys(IDS, 3) | {"P1": 7, "P9": 0}


def test_under_other_rules_whole_tables_are_compared(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "_MECHANISM", "other")
    run(home, folder(tmp_path / "second", {"P1": "big mug"}))
    assert title_chars(home) == dict.fromkeys(IDS, 3) | {"P1": 7}


def test_a_known_folder_changes_no_source(home: Home, tmp_path: Path) -> None:
    run(home, tmp_path / "first")
    assert title_chars(home) == dict.fromkeys(IDS, 3) | {"P9": 0}
