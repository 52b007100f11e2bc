"""The command line reads earlier checkpoints: 500 of 700 products change, and the earlier results remain available."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orchestration.commands.build import BuildReport, build
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS
from warehouse.home import Home
from warehouse.lake import catalog, tables
from warehouse.lake.lake import scalar
from warehouse.sample import write_esci

pytestmark = pytest.mark.slow

PRODUCTS = "shopping_queries_dataset_products.parquet"
CHANGED = 500
DECLARED = """
[[feature_view]]
name = "prices"
file = "prices.parquet"
entity = "product"
key = ["product_locale", "product_id"]
ttl_days = 30

[[feature_view.columns]]
name = "price"
tower = "numeric"
meaning = "price in USD"
"""
SETTINGS = {
    "STOCKROOM_RELEASE__MIN_QUERIES": "1",
    "STOCKROOM_WAREHOUSE__THREADS": "1",
    "STOCKROOM_TRAINING__EPOCHS": "1",
    "STOCKROOM_TRAINING__MINED_PER_QUERY": "2",
    "STOCKROOM_MINING__PER_QUERY": "4",
}
Stockroom = Callable[..., Any]


@dataclass(frozen=True)
class Timeline:
    """A home whose catalog has moved on: the two builds, and the training table's fingerprint after the first."""

    home: Home
    first: BuildReport
    second: BuildReport
    fingerprint: str


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory, word_encoder: None) -> Iterator[Timeline]:
    """Build 700 products, change 500 of them, and build again."""
    folder = tmp_path_factory.mktemp("past")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("DAGSTER_HOME", "")
        (folder / "home").mkdir()
        (folder / "home" / "stockroom.toml").write_text(DECLARED, encoding="utf-8")
        run_context = open_run_context(load_settings(folder / "home"))
        write_esci(folder / "raw", 700, 7)
        products = pl.read_parquet(folder / "raw" / PRODUCTS).filter(pl.col("product_id") != "")
        before = datetime(2022, 6, 1, tzinfo=UTC)
        prices = products.unique(["product_locale", "product_id"], maintain_order=True).select(
            "product_locale", "product_id", price=pl.int_range(pl.len()) % 50 + 0.99, event_time=pl.lit(before)
        )
        prices.write_parquet(folder / "home" / "prices.parquet")
        first = build(run_context, folder / "raw")
        fingerprint = pairs_fingerprint(run_context.home, first.snapshot)
        shutil.copytree(folder / "raw", folder / "later")
        changed = pl.int_range(pl.len()) < CHANGED
        title = pl.when(changed).then(pl.col("product_title") + " improved").otherwise("product_title")
        catalog = pl.read_parquet(folder / "raw" / PRODUCTS).with_columns(product_title=title)
        catalog.write_parquet(folder / "later" / PRODUCTS)
        # One price is another one, and products get a newer price that the judgements would have seen.
        corrected = prices.with_columns(price=pl.when(pl.int_range(pl.len()) == 0).then(7.5).otherwise("price"))
        newer = prices.head(20).with_columns(price=1.0, event_time=pl.lit(datetime(2022, 6, 10, tzinfo=UTC)))
        pl.concat([corrected, newer]).write_parquet(folder / "home" / "prices.parquet")
        second = build(run_context, folder / "later")
        yield Timeline(run_context.home, first, second, fingerprint)


@pytest.fixture(autouse=True)
def _one_epoch(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKROOM_HOME", str(timeline.home.root))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Return what `remade` keeps from one test to the next."""
    return {}


@pytest.fixture
def remade(timeline: Timeline, stockroom: Stockroom, said: dict[str, Any]) -> dict[str, Any]:
    """Return what `train --as-of` the first build answers, asked once."""
    if not said:
        said |= json.loads(stockroom("train", "--as-of", timeline.first.snapshot, "--json").out)
    return said


def pairs_fingerprint(home: Home, snapshot: int) -> str:
    with home.lake.reading(snapshot) as connection:
        return tables.fingerprint(connection, CONTRACTS["training.pairs"])


def weights(home: Home, model: str) -> bytes:
    return (home.models / model / "towers.safetensors").read_bytes()


def test_snapshots_lists_the_two_builds_and_what_each_changed(timeline: Timeline, stockroom: Stockroom) -> None:
    older, newer = json.loads(stockroom("snapshots", "--json").out)
    assert (older["snapshot"], newer["snapshot"]) == (timeline.first.snapshot, timeline.second.snapshot)
    assert newer["run_id"] == timeline.second.run_id
    assert newer["changes"]["raw.products"] == {"inserted": 0, "updated": changed_products(timeline), "deleted": 0}
    assert "features.queries" not in newer["changes"]
    assert [(made["release"], made["model"]) for made in older["releases"]] == [(1, timeline.first.model)]
    assert json.loads(stockroom("snapshots", "--limit", 1, "--json").out) == [newer]
    for_people = stockroom("snapshots").out
    assert f"release 2: model {timeline.second.model}" in for_people
    assert f"raw.products ~{changed_products(timeline)}," in " ".join(for_people.split())


def changed_products(timeline: Timeline) -> int:
    """Count the changed products that are in the lake: a few of the file's rows were refused."""
    with timeline.home.lake.reading(timeline.second.snapshot) as connection:
        return scalar(connection, "SELECT count(*) FROM raw.products WHERE product_title LIKE '% improved'")


def test_sql_as_of_sees_tables_vectors_and_releases_of_then(timeline: Timeline, stockroom: Stockroom) -> None:
    query = (
        "SELECT (SELECT count(*) FROM staging.products WHERE title LIKE '% improved') AS improved, "
        "(SELECT count(*) FROM vectors.products WHERE title LIKE '% improved') AS embedded, "
        "(SELECT max(release) FROM vectors.releases) AS release"
    )
    ended = json.loads(stockroom("snapshots", "--json").out)[0]["ended_at"]
    for as_of in (timeline.first.snapshot, ended):
        then = json.loads(stockroom("sql", "--as-of", as_of, query, "--json").out)
        assert then == [{"improved": 0, "embedded": 0, "release": 1}]
    now = json.loads(stockroom("sql", query, "--json").out)[0]
    assert now["improved"] == now["embedded"] >= CHANGED - 20
    assert now["release"] == 2


@pytest.mark.parametrize(
    "command", [("sql", "--as-of", "3", "SHOW TABLES"), ("train", "--as-of", "9999"), ("diff", "3", "1", "raw.files")]
)
def test_an_unknown_snapshot_is_refused_with_a_hint(
    timeline: Timeline, stockroom: Stockroom, command: tuple[str, ...]
) -> None:
    answer = stockroom(*command)
    assert answer.status == 1
    assert "is not a checkpoint" in answer.err
    assert f"{timeline.first.snapshot} (" in answer.err
    assert f"{timeline.second.snapshot} (" in answer.err


def test_diff_shows_changes_by_key(timeline: Timeline, stockroom: Stockroom) -> None:
    points = (timeline.first.snapshot, timeline.second.snapshot)
    report = json.loads(stockroom("diff", *points, "staging.products", "--limit", 2, "--json").out)
    assert (report["added"], report["removed"], report["changed"]) == (0, 0, changed_products(timeline))
    assert report["columns"] == {"title": report["changed"], "title_words": report["changed"]}
    assert len(report["rows"]) == 2
    title = report["rows"][0]["columns"]["title"]
    assert title["new"] == title["old"] + " improved"
    for_people = stockroom("diff", *points, "staging.products", "--limit", 2)
    shown = " ".join(for_people.out.split())
    changed = report["changed"]
    assert f"0 added, 0 removed, {changed} changed (title in {changed}, title_words in {changed})" in shown
    assert f"and {report['changed'] - 2} more rows" in for_people.out
    assert stockroom("diff", *points, "staging.producs").status == 1


def test_the_training_table_of_the_old_snapshot_can_be_recomputed(timeline: Timeline, remade: dict[str, Any]) -> None:
    assert pairs_fingerprint(timeline.home, timeline.second.snapshot) != timeline.fingerprint
    assert remade["recomputed_fingerprint"] == remade["recorded_fingerprint"] == timeline.fingerprint
    assert (remade["model"], remade["release"], remade["same_model"]) == (timeline.first.model, 1, True)
    assert not remade["trained"]


def test_also_after_the_derived_tables_were_dropped_with_the_same_weights(
    timeline: Timeline, stockroom: Stockroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(timeline.home.root, tmp_path / "home")
    monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path / "home"))
    home = open_home(load_settings())
    trained = weights(home, timeline.first.model)
    shutil.rmtree(home.models / timeline.first.model)
    with home.lake.writing() as connection:
        for table in catalog.row_counts(connection):
            if table.split(".")[0] in ("staging", "features", "training"):
                connection.execute(f"DROP TABLE {table}")
    before = home.lake.snapshot(), home.releases.all()
    report = json.loads(stockroom("train", "--as-of", timeline.first.snapshot, "--json").out)
    assert report["recomputed_fingerprint"] == timeline.fingerprint
    assert report["trained"]
    assert weights(home, timeline.first.model) == trained
    assert (home.lake.snapshot(), home.releases.all()) == before
    assert not (home.root / "recompute").exists()


def test_the_snapshot_of_a_model_leads_to_its_checkpoint(timeline: Timeline, stockroom: Stockroom) -> None:
    manifest = json.loads((timeline.home.models / timeline.first.model / "model.json").read_text(encoding="utf-8"))
    named = manifest["metadata"]["snapshot"]
    assert named < timeline.first.snapshot
    assert manifest["metadata"]["training_pairs"] == timeline.fingerprint
    assert json.loads(stockroom("train", "--as-of", named, "--json").out)["snapshot"] == timeline.first.snapshot


def test_without_as_of_the_newest_checkpoint_is_used(timeline: Timeline, stockroom: Stockroom) -> None:
    answer = stockroom("train")
    output = " ".join(answer.out.split())
    assert f"snapshot {timeline.second.snapshot} (" in output
    assert "used this very model" in output


def test_other_settings_make_another_table_and_nothing_is_trained(
    timeline: Timeline, stockroom: Stockroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKROOM_WAREHOUSE__VALIDATION_PERCENT", "40")
    models = sorted(path.name for path in timeline.home.models.iterdir())
    answer = stockroom("train", "--as-of", timeline.first.snapshot)
    assert answer.status == 1
    assert timeline.fingerprint in answer.err
    assert "rows differ" in answer.err
    assert sorted(path.name for path in timeline.home.models.iterdir()) == models


def test_hard_negatives_follow_the_catalog_and_are_mined_again_as_of_then(
    timeline: Timeline, stockroom: Stockroom, remade: dict[str, Any]
) -> None:
    points = (timeline.first.snapshot, timeline.second.snapshot)
    report = json.loads(stockroom("diff", *points, "training.negatives", "--json").out)
    assert report["added"] > 0
    assert report["removed"] > 0
    assert remade["model"] == timeline.first.model != timeline.second.model


def feature_view_fingerprint(home: Home, snapshot: int) -> str:
    with home.lake.reading(snapshot) as connection:
        return tables.fingerprint(connection, CONTRACTS["training.point_in_time"])


def test_prices_that_came_later_are_not_seen_as_of_then(
    timeline: Timeline, stockroom: Stockroom, remade: dict[str, Any]
) -> None:
    then, now = (feature_view_fingerprint(timeline.home, build.snapshot) for build in (timeline.first, timeline.second))
    assert then != now
    assert (remade["feature_view_fingerprint"], remade["recomputed_fingerprint"]) == (then, timeline.fingerprint)
    assert remade["model"] == timeline.first.model
    assert json.loads(stockroom("train", "--json").out)["feature_view_fingerprint"] == now


def test_diff_and_snapshots_show_changes_of_time_series_features(timeline: Timeline, stockroom: Stockroom) -> None:
    points = (timeline.first.snapshot, timeline.second.snapshot)
    report = json.loads(stockroom("diff", *points, "timeseries.prices", "--json", "--limit", 99).out)
    assert (report["added"], report["removed"], report["changed"], report["columns"]) == (20, 0, 1, {"price": 1})
    assert [row["columns"] for row in report["rows"] if row["change"] == "changed"] == [
        {"price": {"old": 0.99, "new": 7.5}}
    ]
    assert stockroom("diff", *points, "timeseries.price").err.count("timeseries.prices") == 1
    changes = json.loads(stockroom("snapshots", "--limit", 1, "--json").out)[0]["changes"]
    assert changes["timeseries.prices"] == {"inserted": 20, "updated": 1, "deleted": 0}


def test_a_time_series_feature_is_listed_watched_and_led_back_to_its_file(
    timeline: Timeline, stockroom: Stockroom
) -> None:
    feature = json.loads(stockroom("features", "prices.price", "--json").out)
    assert (feature["feature"], feature["meaning"], feature["tower"]) == (
        "timeseries.prices.price",
        "price in USD",
        "numeric",
    )
    way = "vectors.products.vector < timeseries.prices.price < prices.parquet.price"
    assert way in [row["way"] for row in json.loads(stockroom("sql", "--named", "vector_lineage", "--json").out)]
    query = (
        "SELECT number, rows FROM monitoring.versions JOIN monitoring.feature_stats USING (table_name, version) "
        "WHERE table_name = 'timeseries.prices' AND locale = 'all' ORDER BY number"
    )
    first, second = json.loads(stockroom("sql", query, "--json").out)
    assert second["rows"] == first["rows"] + 20
    drift = "SELECT DISTINCT reference FROM monitoring.drift WHERE table_name = 'timeseries.prices'"
    assert {row["reference"] for row in json.loads(stockroom("sql", drift, "--json").out)} == {"previous", "training"}


def test_with_other_training_settings_the_model_is_another_one(
    timeline: Timeline, stockroom: Stockroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKROOM_TRAINING__SEED", "8")
    answer = stockroom("train", "--as-of", timeline.first.snapshot)
    output = " ".join(answer.out.split())
    assert f"another model, {timeline.first.model}" in output
    assert "trained now" in output


def test_where_nothing_is_train_makes_no_home(timeline: Timeline, stockroom: Stockroom, tmp_path: Path) -> None:
    answer = stockroom("train", "--home", tmp_path / "nowhere")
    assert (answer.status, answer.out) == (1, "")
    assert "no data in" in answer.err
    assert not (tmp_path / "nowhere").exists()
