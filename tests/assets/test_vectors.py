"""Vectors are made anew exactly where what they are made from is new."""

import polars as pl
import pytest

from assets.model import model_name
from assets.vectors import embed, with_input_hash
from orchestration.settings import load_settings
from orchestration.workspace import open_workspace
from warehouse import frames
from warehouse.lance import to_matrix


@pytest.fixture
def workspace(copy_home):
    return open_workspace(load_settings(copy_home()))


def test_the_input_hash_follows_text_and_features_and_nothing_else(workspace):
    products = frames.products(workspace.home.lake).head(1)
    (before,) = with_input_hash(products)["input_hash"]
    for column, value in {"title": "other", "brand": "other", "color": "other", "feature_hash": "other"}.items():
        (after,) = with_input_hash(products.with_columns(pl.lit(value).alias(column)))["input_hash"]
        assert after != before, column
    assert with_input_hash(products.with_columns(product_id=pl.lit("other")))["input_hash"].to_list() == [before]


def test_only_changed_products_are_embedded_and_those_gone_are_taken_out(workspace):
    model_id, store = model_name(workspace), workspace.home.vectors
    products = with_input_hash(frames.products(workspace.home.lake))
    before = store.version(model_id)

    nothing = embed(workspace, model_id, products)
    assert (nothing.version, nothing.upserted, nothing.deleted) == (before, 0, 0)

    donor = products.row(5, named=True)
    changed = products.with_columns(
        title=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["title"])).otherwise("title"),
        brand=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["brand"])).otherwise("brand"),
        color=pl.when(pl.col("key") == products["key"][0]).then(pl.lit(donor["color"])).otherwise("color"),
    )
    changed = with_input_hash(changed.drop("input_hash")).slice(0, products.height - 2)
    written = embed(workspace, model_id, changed)
    assert (written.upserted, written.deleted) == (1, 2)
    assert set(store.current(model_id)["key"]) == set(changed["key"])


def test_a_vector_does_not_depend_on_what_is_embedded_beside_it(workspace):
    model_id, store = model_name(workspace), workspace.home.vectors
    products = with_input_hash(frames.products(workspace.home.lake))
    first = _vectors(store.read(model_id))
    one, three = products.head(1), products.slice(1, 3)
    embed(workspace, model_id, one)  # all others are taken out
    embed(workspace, model_id, pl.concat([one, three]))
    again = _vectors(store.read(model_id))
    assert len(again) == 4
    assert all((again[key] == first[key]).all() for key in again)


def _vectors(table):
    return dict(zip(table["key"].to_pylist(), to_matrix(table["vector"]), strict=True))
