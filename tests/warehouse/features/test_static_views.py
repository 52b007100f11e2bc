"""A static feature view is treated as every other one, without a time: SQL, lookups, model inputs, filters, facets, drift."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from warehouse.catalog import column_lineage, data_dictionary
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError
from warehouse.features import (
    datasets,
    drift,
    feature_statistics,
    feature_views,
    offline_store,
    point_in_time,
    training_lookup,
)
from warehouse.ingest.feature_view_files import FeatureViewIngested, check_files, ingest_file
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.search.facets import count_facets
from warehouse.search.product_filter import ProductFilter
from warehouse.settings import MonitoringSettings, WarehouseSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VIEW = FeatureView.model_validate(
    {
        "name": "goods",
        "file": "goods.parquet",
        "entity": "product",
        "key": ["locale", "id"],
        "columns": [
            {"name": "price", "tower": "numeric", "filter": True, "rank": True, "meaning": "price in USD"},
            {"name": "category", "tower": "categorical", "filter": True, "meaning": "path of the category"},
            {"name": "in_stock", "type": "flag", "filter": True, "meaning": "whether it can be sent"},
            {"name": "released", "type": "time", "filter": True, "meaning": "first day of sale"},
            {"name": "tags", "type": "list", "filter": True, "meaning": "tags"},
            {"name": "link", "type": "text", "meaning": "address of a picture"},
        ],
    }
)
ROWS = {
    "locale": ["us", "us", "jp"],
    "id": ["P1", "P2", "P3"],
    "price": [79.5, 12.0, None],
    "category": ["Shoes > Running", "Home > Kitchen", "Shoes > Walking"],
    "in_stock": [True, False, None],
    "released": [datetime(2024, 1, 2, 8, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC), None],
    "tags": [["Red", "light"], ["red", "Red"], None],
    "link": ["a.jpg", "b.jpg", None],
}


@pytest.fixture
def ingest(built: Lake, tmp_path: Path) -> Callable[..., FeatureViewIngested]:
    """Return a function that writes the file, with some columns replaced, and ingests it."""

    def run(**changes: list[object]) -> FeatureViewIngested:
        pl.DataFrame(ROWS | changes).write_parquet(tmp_path / VIEW.file)
        ingested = ingest_file(built, tmp_path, VIEW, NOW)
        with built.writing() as connection:
            feature_views.register(connection, [VIEW], WarehouseSettings(as_of=NOW))
            tables.ensure(connection, VIEW.contract)
        return ingested

    return run


def test_its_table_has_a_row_per_product_and_no_time(built: Lake, ingest) -> None:
    assert ingest() == FeatureViewIngested(inserted=3)
    with built.reading() as connection:
        assert connection.sql("FROM attributes.goods ORDER BY key LIMIT 1").pl().drop("input_hash").to_dicts() == [
            {"key": "jp:P3", **{name: values[2] for name, values in ROWS.items() if name not in ("locale", "id")}}
        ]
    assert ingest() == FeatureViewIngested(unchanged_file=True)
    assert ingest(price=[79.5, 13.0, None]) == FeatureViewIngested(updated=1)


def test_a_file_with_two_rows_of_a_product_or_with_times_is_refused(built: Lake, tmp_path: Path) -> None:
    pl.DataFrame(ROWS | {"locale": ["us"] * 3, "id": ["P1"] * 3}).write_parquet(tmp_path / VIEW.file)
    with pytest.raises(WarehouseError, match="columns locale, id, row 2: row 1 already has the key 'us:P1'"):
        check_files(built, tmp_path, [VIEW], NOW)
    pl.DataFrame(ROWS | {"event_time": [NOW] * 3}).write_parquet(tmp_path / VIEW.file)
    with pytest.raises(WarehouseError, match="has a column event_time, and the feature view goods is static"):
        check_files(built, tmp_path, [VIEW], NOW)
    pl.DataFrame(ROWS | {"tags": ["red"] * 3}).write_parquet(tmp_path / VIEW.file)
    with pytest.raises(WarehouseError, match="column tags, row 1: it is VARCHAR and must hold lists of text"):
        check_files(built, tmp_path, [VIEW], NOW)


def test_the_values_hold_at_any_time(built: Lake, ingest) -> None:
    ingest()
    frame = pl.DataFrame({"key": ["us:P2", "us:P9"], "time": [datetime(1999, 1, 1, tzinfo=UTC), NOW]})
    with built.reading() as connection:
        found = point_in_time.add_features(connection, frame, {"product": "key"}, pl.col("time"))
    assert found["goods.price"].to_list() == [12.0, None]
    assert found["goods.tags"].to_list() == [["red", "Red"], None]


def test_products_have_the_values_and_change_with_them(built: Lake, ingest) -> None:
    ingest()
    before = datasets.products(built)
    assert before["goods.category"].to_list() == [None, "Shoes > Walking", "Shoes > Running", "Home > Kitchen"]
    snapshot = built.snapshot()
    ingest(price=[79.5, 13.0, None])
    after = datasets.products(built)
    assert (before["feature_hash"] != after["feature_hash"]).to_list() == [False, False, False, True]
    with built.reading() as connection:
        changed = offline_store.changed_keys(connection, "product", snapshot)
        assert changed is not None
        assert changed["key"].to_list() == ["us:P2"]
        (row,) = offline_store.decoded(connection, "product", changed).values()
    assert (row["goods.price"], row["goods.tags"]) == (13.0, ["red", "Red"])


def test_the_judged_pairs_record_no_event_of_it(built: Lake, ingest) -> None:
    ingest()
    with built.writing() as connection:
        training_lookup.refresh_training(connection, WarehouseSettings())
        assert tables.count(connection, "training.point_in_time") == 0
        assert training_lookup.pairs_with_values(connection) == {}
    assert "goods.price" not in datasets.training_pairs(built).columns


def test_only_what_a_tower_reads_of_judged_products_makes_another_model(built: Lake, ingest) -> None:
    def fingerprints() -> list[str]:
        with built.reading() as connection:
            return feature_views.static_fingerprints(connection, "tower", "key = 'us:P1'")

    ingest()
    first = fingerprints()
    ingest(link=["other.jpg", None, None], price=[79.5, 99.0, None])
    assert fingerprints() == first
    ingest(price=[80.0, 99.0, None])
    assert fingerprints() != first


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("price < 50", ["us:P2"]),
        ("price IS NULL", ["es:P1", "jp:P3"]),
        ("category LIKE 'shoes%' AND brand = 'nike'", ["us:P1"]),
        ("in_stock", ["us:P1"]),
        ("released >= '2024-02-01'", ["us:P2"]),
        ("released = '2024-01-02'", ["us:P1"]),
        ("'RED' IN tags", ["us:P1", "us:P2"]),
        ("'light' NOT IN tags", ["us:P2"]),
        ("tags IS NULL", ["es:P1", "jp:P3"]),
    ],
)
def test_a_filter_may_name_its_columns(built: Lake, ingest, condition: str, keys: list[str]) -> None:
    ingest()
    with built.reading() as connection:
        views = feature_views.static_views(connection)
        assert ProductFilter.parse(condition, views).keys(connection) == keys


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("link = 'a.jpg'", "names link, and products have no such column"),
        ("tags = 'red'", "compares tags, which is a list, with 'red', which is text"),
        ("tags LIKE 'r%'", "tags, which is a list"),
        ("'red' IN category", "looks for 'red' in category, which is not a list of text"),
        ("5 IN tags", "looks for 5 in tags, which is not a list of text"),
        ("tags", "is no condition"),
        ("price = 'a'", "price, which is a number, with 'a', which is text"),
    ],
)
def test_a_wrong_filter_is_refused(condition: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        ProductFilter.parse(condition, (VIEW,))


def test_every_facet_value_keeps_what_it_counts(built: Lake, ingest) -> None:
    ingest()
    keys = ["es:P1", "jp:P3", "us:P1", "us:P2"]
    names = [column.name for column in VIEW.columns if column.filter]
    with built.reading() as connection:
        views = feature_views.static_views(connection)
        facets = count_facets(connection, keys, names, views=views)
        for value in (value for facet in facets for value in facet.values):
            assert len(ProductFilter.parse(value.where, views).keys(connection)) == value.count, value
    shown = {facet.column: [(value.value, value.count) for value in facet.values] for facet in facets}
    assert shown["tags"] == [("Red", 2), ("light", 1)]
    assert shown["released"] == [("2024-01-02", 1), ("2024-03-01", 1)]
    assert {facet.column: facet.without for facet in facets} == {
        "price": 2,
        "category": 1,
        "in_stock": 2,
        "released": 2,
        "tags": 2,
    }


def test_its_statistics_and_drift_are_measured(built: Lake, ingest) -> None:
    ingest()
    settings = MonitoringSettings()
    with built.writing() as connection:
        stats = feature_statistics.record(connection, VIEW.contract, settings)
    kinds = dict(stats.filter(locale="all").select("column_name", "kind").iter_rows())
    assert kinds == {
        "price": "numeric",
        "category": "categorical",
        "in_stock": "flag",
        "released": "numeric",
        "tags": "categorical",
        "link": "categorical",
    }
    ingest(price=[790.5, 120.0, 1.0])
    with built.writing() as connection:
        feature_statistics.record(connection, VIEW.contract, settings)
    assert drift.measure_drift(built, {}) == 1
    assert "price" in drift.drift(built, []).filter(table_name="attributes.goods")["column_name"].to_list()


def test_the_dictionary_and_the_lineage_have_its_columns() -> None:
    features = data_dictionary.feature_rows({VIEW.table: VIEW.contract}).rows_by_key("feature", named=True, unique=True)
    assert features["attributes.goods.price"]["meaning"] == "price in USD"
    assert features["attributes.goods.tags"]["type"] == "VARCHAR[]"
    steps = {
        (step.table, step.column, step.source_table, step.source_column)
        for step in column_lineage.time_series_steps((VIEW,))
    }
    assert ("attributes.goods", "price", "goods.parquet", "price") in steps
    assert ("attributes.goods", "key", "goods.parquet", "id") in steps
    assert not any(table == "training.point_in_time" for table, *_ in steps)
    assert ("vectors.products", "vector", "attributes.goods", "category") in {
        (step.table, step.column, step.source_table, step.source_column)
        for step in column_lineage.vector_steps((), (), (VIEW,))
    }


def test_a_view_that_is_declared_no_more_is_dropped(built: Lake, ingest) -> None:
    ingest()
    with built.writing() as connection:
        feature_views.register(connection, [], WarehouseSettings(as_of=NOW))
        assert not tables.exists(connection, "attributes.goods")
        assert feature_views.static_views(connection) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entity": "query"}, "a feature view of the entity query needs ttl_days"),
        ({"ttl_days": 3}, "rank and filter need a static feature view"),
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureView.model_validate(VIEW.model_dump() | changes)
