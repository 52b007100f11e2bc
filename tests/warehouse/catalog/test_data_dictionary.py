from datetime import UTC, datetime

import pytest

from warehouse.catalog import data_dictionary
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lake.lake import Lake


@pytest.fixture
def described(lake: Lake) -> Lake:
    """Return a lake with a data dictionary, and three rows in features.products."""
    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA features")
        connection.execute(
            "CREATE TABLE features.products AS FROM (VALUES ('a', 'x', 2), ('b', NULL, 2), ('c', 'y', 1)) "
            "AS t(key, brand_key, title_words)"
        )
        connection.execute("CREATE TABLE features.dated AS SELECT TIMESTAMPTZ '2020-01-02 00:00:00Z' AS seen_at")
        data_dictionary.refresh(connection)
    return lake


def test_every_table_and_every_feature_is_described(described: Lake) -> None:
    with described.reading() as connection:
        tables = dict(connection.sql("SELECT table_name, grain FROM registry.tables").fetchall())
        words = connection.sql("FROM registry.features WHERE feature = 'features.products.title_words'").pl()
        keys = connection.sql("SELECT * FROM registry.features WHERE column_name = 'key'").fetchall()
    assert tables == {table: contract.grain for table, contract in CONTRACTS.items()}
    assert keys == []
    assert words.drop("input_hash").to_dicts() == [
        {
            "feature": "features.products.title_words",
            "table_name": "features.products",
            "column_name": "title_words",
            "type": "INTEGER",
            "nullable": False,
            "meaning": CONTRACTS["features.products"].meaning("title_words"),
            "tower": "numeric",
            "rules": ["title_words_missing"],
            "source": "warehouse/sql/features/products.sql",
        }
    ]


def test_describing_again_writes_nothing(described: Lake) -> None:
    before = described.snapshot()
    with described.writing() as connection:
        changes = data_dictionary.refresh(connection)
    assert {table for table, change in changes.items() if any(change.counts.values())} == set()
    assert described.snapshot() == before


def test_a_contract_that_is_gone_leaves_the_registry(described: Lake) -> None:
    fewer = {table: contract for table, contract in CONTRACTS.items() if table != "features.products"}
    with described.writing() as connection:
        changes = data_dictionary.refresh(connection, fewer)
    assert changes["registry.tables"].counts == {"inserted": 0, "updated": 0, "deleted": 1}
    assert "features.products" not in data_dictionary.features(described)["table_name"].to_list()


@pytest.mark.parametrize("name", ["title_words", "products.title_words", "features.products.title_words"])
def test_a_feature_is_found_by_as_much_of_its_name_as_is_enough(described: Lake, name: str) -> None:
    assert data_dictionary.find(data_dictionary.features(described), name)["feature"] == "features.products.title_words"


def test_a_name_of_several_features_lists_them(described: Lake) -> None:
    with pytest.raises(WarehouseError, match=r"features\.products\.locale, features\.queries\.locale"):
        data_dictionary.find(data_dictionary.features(described), "locale")


@pytest.mark.parametrize(
    ("name", "said"), [("title_word", "similar features: title_words"), ("words", "list the features")]
)
def test_an_unknown_feature_is_told_its_neighbors(described: Lake, name: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=f"the feature {name} does not exist\n.*{said}"):
        data_dictionary.find(data_dictionary.features(described), name)


def test_values_come_from_the_lake(described: Lake) -> None:
    assert data_dictionary.values(described, "features.products", "title_words") == {
        "rows": 3,
        "nulls": 0,
        "distinct": 2,
        "examples": [2, 1],
    }
    assert data_dictionary.values(described, "features.products", "brand_key") == {
        "rows": 3,
        "nulls": 1,
        "distinct": 2,
        "examples": ["x", "y"],
    }
    assert data_dictionary.values(described, "features.dated", "seen_at")["examples"] == [
        datetime(2020, 1, 2, tzinfo=UTC).isoformat()
    ]


def test_a_lake_without_a_data_dictionary_is_refused(filled: Lake) -> None:
    with pytest.raises(WarehouseError, match="stockroom build"):
        data_dictionary.features(filled)
