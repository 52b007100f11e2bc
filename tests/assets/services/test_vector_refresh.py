"""A vector is computed again exactly if its inputs changed."""

import polars as pl
import pytest

from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.vector_refresh import embed
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.features import datasets
from warehouse.vectors.lance_tables import to_matrix


@pytest.fixture
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


def test_only_changed_products_are_embedded_and_deleted_ones_removed(run_context):
    model, store = ServingModel(run_context, model_name(run_context)), run_context.home.vectors
    products = model.with_input_hash(datasets.products(run_context.home.lake))
    before = store.version(model.vector_table)

    nothing, version = embed(model, products)
    assert (nothing.version, nothing.upserted, nothing.deleted, version) == (before, 0, 0, before)

    donor = products.row(5, named=True)
    changed = products.with_columns(
        title=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["title"])).otherwise("title"),
        brand=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["brand"])).otherwise("brand"),
        color=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["color"])).otherwise("color"),
    )
    changed = model.with_input_hash(changed.drop("input_hash")).slice(0, products.height - 2)
    written, _ = embed(model, changed)
    assert (written.upserted, written.deleted) == (1, 2)
    assert set(store.current(model.vector_table)["key"]) == set(changed["key"])


def test_a_vector_does_not_depend_on_what_is_embedded_beside_it(run_context):
    model, store = ServingModel(run_context, model_name(run_context)), run_context.home.vectors
    products = model.with_input_hash(datasets.products(run_context.home.lake))
    first = _vectors(store.read(model.vector_table))
    one, three = products.head(1), products.slice(1, 3)
    embed(model, one)  # all others are taken out
    embed(model, pl.concat([one, three]))
    again = _vectors(store.read(model.vector_table))
    assert len(again) == 4
    assert all((again[key] == first[key]).all() for key in again)


def _vectors(table):
    return dict(zip(table["key"].to_pylist(), to_matrix(table["vector"]), strict=True))
