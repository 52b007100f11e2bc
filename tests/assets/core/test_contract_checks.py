"""The contract checks on a small lake: Dagster materializes raw and staging, and a test damages a table of a copied home."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets.run_context import RunContext
from assets.tables.raw import raw_tables
from assets.tables.staging import staging_products
from warehouse.home import Home

RAW = {"raw.products", "raw.judgements", "raw.sources", "raw.search_rules", "raw.files", "raw.deltas", "raw.events"}
NUMBERS = ("example_id", "query_id", "small_version", "large_version")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ESCI folder of eight products and a judgement; its products have a column that no contract declares."""
    folder = tmp_path_factory.mktemp("esci")
    text = ("product_title", "product_description", "product_bullet_point", "product_brand", "product_color")
    products = [
        {"product_id": f"P{n}", **dict.fromkeys(text, "mug"), "product_locale": "us", "price": 1.0} for n in range(8)
    ]
    pl.DataFrame(products).write_parquet(folder / "shopping_queries_dataset_products.parquet")
    others = {"query": "mug", "product_id": "P1", "product_locale": "us", "esci_label": "E", "split": "train"}
    pl.DataFrame([dict.fromkeys(NUMBERS, 1) | others]).write_parquet(
        folder / "shopping_queries_dataset_examples.parquet"
    )
    return folder


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dg.ExecuteInProcessResult]:
    """Return a home with the folder in it, and the run that brought it in."""
    home = tmp_path_factory.mktemp("built") / "home"
    return home, run(home, folder)


def run(home: Path, folder: Path | None = None) -> dg.ExecuteInProcessResult:
    assets = [raw_tables, staging_products]
    defs = dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("some", selection=dg.AssetSelection.assets(*assets))],
        executor=dg.in_process_executor,
        resources={"run_context": RunContext(Home(home), raw=folder)},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("some").execute_in_process(instance=instance, raise_on_error=False)


def evaluations_by_check(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {".".join(one.asset_key.path): one for one in result.get_asset_check_evaluations()}


def values(metadata: Any) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}


def test_good_tables_pass(built: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    _, result = built
    assert result.success
    evaluations = evaluations_by_check(result)
    assert evaluations.keys() == {*RAW, "staging.products"}
    assert all(one.passed for one in evaluations.values())
    assert values(evaluations["raw.products"].metadata) == {"rules": 13}


def test_a_new_column_is_a_warning_in_the_metadata(built: tuple[Path, dg.ExecuteInProcessResult]) -> None:
    _, result = built
    metadata_by_table = {
        ".".join(event.asset_key.path): values(event.step_materialization_data.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert metadata_by_table["raw.products"]["new_columns"] == ["price"]
    assert (
        metadata_by_table["raw.products"]["warning"]
        == "raw.products: left out the columns that its contract does not declare: price"
    )
    assert not {"new_columns", "warning"} & metadata_by_table["raw.judgements"].keys()


def test_a_broken_rule_stops_what_is_downstream_and_is_named(
    built: tuple[Path, dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(built[0], home)
    with Home(home).lake.writing() as connection:
        connection.execute("UPDATE raw.products SET product_title = ' ' WHERE product_id <> 'P3'")
        connection.execute("UPDATE raw.products SET product_brand = NULL, key = 'us:P1' WHERE product_id = 'P3'")
    result = run(home)
    assert not result.success
    broken = evaluations_by_check(result)["raw.products"]
    assert not broken.passed
    assert values(broken.metadata) == {
        "rules": 13,
        "duplicate_key": {"rows": 1, "keys": ["us:P1"]},
        "product_title_blank": {"rows": 7, "keys": ["us:P0", "us:P1", "us:P2", "us:P4", "us:P5"]},
    }
    assert broken.description == (
        "duplicate_key: 1 row (us:P1); product_title_blank: 7 rows (us:P0, us:P1, us:P2, us:P4, us:P5, …)"
    )
    made = {".".join(event.asset_key.path) for event in result.get_asset_materialization_events() if event.asset_key}
    assert made == RAW


def test_all_that_is_broken_is_named_of_tables_that_one_function_makes(
    built: tuple[Path, dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(built[0], home)
    with Home(home).lake.writing() as connection:
        connection.execute("INSERT INTO raw.files SELECT * FROM raw.files ORDER BY key LIMIT 1")
        connection.execute("UPDATE raw.products SET product_title = ' ' WHERE product_id = 'P1'")
    evaluations = evaluations_by_check(run(home))
    assert {table for table, one in evaluations.items() if not one.passed} == {"raw.files", "raw.products"}
    assert evaluations.keys() == RAW
