"""The live model is evaluated on another catalog without training on it; the home does not change."""

import polars as pl
import pytest

from orchestration.commands.evaluate.transfer import evaluate_transfer
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.sample import write_esci

EXAMPLES = "shopping_queries_dataset_examples.parquet"


@pytest.fixture(scope="module")
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


def test_on_its_own_catalog_it_is_what_the_build_measured(run_context, built):
    snapshot = run_context.home.lake.snapshot()
    report = evaluate_transfer(run_context, built.raw)
    for ranker, means in built.report["relevance"]["rankers"].items():
        for metric, value in means.items():
            assert report["rankers"][ranker][metric] == pytest.approx(value, abs=1e-9), (ranker, metric)
    assert run_context.home.lake.snapshot() == snapshot
    assert not (run_context.home.root / "recompute").exists()


def test_other_brands_are_other_products_and_queries(run_context, built, tmp_path):
    write_esci(tmp_path, 200, seed=3, brand_seed=99)
    report = evaluate_transfer(run_context, tmp_path)
    own = built.report["relevance"]
    assert report["rankers"]["model"]["queries"] == own["rankers"]["model"]["queries"]  # the same things are asked

    assert report["rankers"]["encoder"]["mrr"] != own["rankers"]["encoder"]["mrr"]
    assert (report["release"], report["model"]) == (1, built.report["model"])


def test_a_folder_without_test_queries_is_named(run_context, built, tmp_path):
    write_esci(tmp_path, 200, seed=3)
    rows = pl.read_parquet(tmp_path / EXAMPLES)
    rows.with_columns(split=pl.lit("train")).write_parquet(tmp_path / EXAMPLES)
    with pytest.raises(WarehouseError, match=f"no test query of task 1 in {tmp_path}"):
        evaluate_transfer(run_context, tmp_path)
