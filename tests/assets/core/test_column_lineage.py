import dagster as dg

from assets.core.column_lineage import METADATA_KEY, column_lineage, lineage_metadata, product_vector_steps
from warehouse.catalog.column_lineage import Step
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView


def test_a_column_leads_to_the_assets_of_its_sources_and_to_the_file() -> None:
    steps = [
        Step("features.products", "title_words", "staging.products", "title", "sql"),
        Step("features.products", "title_words", "products.parquet", "title", "sources"),
        Step("features.products", "input_hash", "features.products", "title_words", "reconcile"),
    ]
    assert column_lineage(steps).deps_by_column == {
        "title_words": [
            dg.TableColumnDep(dg.AssetKey(["files", "products.parquet"]), "title"),
            dg.TableColumnDep(dg.AssetKey(["staging", "products"]), "title"),
        ]
    }


def test_every_feature_that_the_product_tower_reads_leads_to_the_vector() -> None:
    contract = CONTRACTS["features.products"]
    tower = {*contract.tower_columns("numeric"), *contract.tower_columns("categorical")}
    read = {
        step.source_column
        for step in product_vector_steps()
        if step[:3] == ("vectors.products", "vector", contract.table)
    }
    text = {
        step.source_column
        for step in product_vector_steps()
        if step[:3] == ("vectors.products", "vector", "staging.products")
    }
    assert (read, text) == (tower, {"title", "brand", "color"})


def test_tables_of_data_have_lineage_and_tables_about_tables_have_none() -> None:
    assert METADATA_KEY in lineage_metadata("features.pairs")
    assert METADATA_KEY in lineage_metadata("vectors.products")
    assert lineage_metadata("registry.lineage") == {}


def test_a_time_series_feature_of_products_leads_from_its_file_to_the_vector_and_to_training() -> None:
    column = {"name": "price", "meaning": "price in USD", "tower": "numeric"}
    given = {"file": "in/prices.parquet", "ttl_days": 30, "columns": [column]}
    products = FeatureView.model_validate({"name": "prices", "entity": "product", **given})
    groups = FeatureView.model_validate({"name": "groups", "entity": "context", **given})
    file = dg.TableColumnDep(dg.AssetKey(["files", "prices.parquet"]), "price")
    declared = (products, groups)
    assert lineage_metadata("timeseries.prices", declared)[METADATA_KEY].deps_by_column["price"] == [file]
    vector = {step[2:4] for step in product_vector_steps(declared)} - {step[2:4] for step in product_vector_steps()}
    assert vector == {("timeseries.prices", "price")}
    deps_by_column = lineage_metadata("training.point_in_time", declared)[METADATA_KEY].deps_by_column
    assert {dep.asset_key.path[-1] for dep in deps_by_column["event_time"]} == {"prices", "groups"}
    assert deps_by_column["pair_key"] == [dg.TableColumnDep(dg.AssetKey(["training", "pairs"]), "key")]
