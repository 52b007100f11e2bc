"""The id of a model depends on all of its inputs, and the model trains on the rows of the lake."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from assets.services.model_training import failed_training_warning, feature_spec, model_name, training_log
from assets.services.text_vectors import TextVectors
from assets.services.training_arrays import training_data
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS


@pytest.fixture(scope="module")
def run_context(built):
    return open_run_context(load_settings(built.home))


def test_the_name_is_that_of_the_released_model(run_context, built):
    assert model_name(run_context) == built.report["model"]


@pytest.mark.parametrize(
    ("section", "changed"),
    [("training", {"seed": 9}), ("training", {"epochs": 7}), ("tower", {"width": 64}), ("encoder", {"max_tokens": 8})],
)
def test_another_setting_makes_another_model(run_context, section, changed):
    other = replace(run_context, **{section: getattr(run_context, section).model_copy(update=changed)})
    assert model_name(other) != model_name(run_context)


def test_settings_that_change_no_weight_make_no_other_model(run_context):
    other = replace(run_context, bm25=run_context.bm25.model_copy(update={"k1": 0.1}))
    assert model_name(other) == model_name(run_context)


def test_features_are_those_that_the_contract_declares():
    spec = feature_spec("features.queries")
    assert spec.numeric == ("query_chars", "query_words", "query_numbers", "has_brand", "has_color", "has_negation")
    assert spec.categorical == ("locale", "query_brand", "query_color", "query_script")
    assert feature_spec("features.products").categorical == ("locale", "brand_key", "color_key", "title_script")
    assert "title_price" not in feature_spec("features.products").columns  # declared for SQL alone


def test_training_rows_point_at_their_query_and_product(run_context):
    vectors = TextVectors(run_context)
    data = training_data(run_context, vectors, feature_spec("features.queries"), feature_spec("features.products"))
    with run_context.home.lake.reading() as connection:
        pairs = connection.sql(
            "SELECT key, query, label, split FROM training.pairs WHERE split IN ('train', 'validation') ORDER BY key"
        ).pl()
        queries = connection.sql("SELECT key, query FROM staging.queries ORDER BY key").pl()
        products = connection.sql("SELECT key, title FROM staging.products ORDER BY locale, product_id").pl()
    assert len(data.label) == pairs.height
    assert data.split.tolist() == pairs["split"].to_list()
    names = [
        f"{queries['key'][int(query)]}:{products['key'][int(product)].split(':', 1)[1]}"
        for query, product in zip(data.query_index, data.product_index, strict=True)
    ]
    assert names == pairs["key"].to_list()
    place = int(data.query_index[3])
    assert (data.query_vectors[place] == vectors.cached([queries["query"][place]])[0]).all()
    assert data.query_vectors.shape == (queries.height, 384)
    assert data.product_vectors.shape == (products.height, 384)
    assert data.product_features.height == products.height
    assert np.isin(data.split, ["train", "validation"]).all()  # nothing of test


def test_the_training_log_has_a_row_for_each_epoch():
    epoch = {
        "train_loss": None,
        "val_loss": 1.5,
        "recall_at_10": 0.5,
        "recall_at_100": 0.9,
        "mrr": 0.4,
        "learning_rate": 0.0,
    }
    log = training_log("m1", [{"epoch": 0, **epoch}, {"epoch": 1, **epoch, "train_loss": 2.0}], best_epoch=1)
    assert log["key"].to_list() == ["m1:0", "m1:1"]
    assert log["is_best"].to_list() == [False, True]
    assert log["train_loss"].to_list() == [None, 2.0]
    assert set(log.columns) == set(CONTRACTS["evaluation.training_log"].columns)


def test_the_stored_log_is_that_of_the_model(run_context, built):
    with run_context.home.lake.reading() as connection:
        log = connection.sql("SELECT * FROM evaluation.training_log ORDER BY epoch").pl()
    assert log["model_id"].unique().to_list() == [built.report["model"]]
    assert log["epoch"].to_list() == list(range(log.height))
    assert log.filter(pl.col("is_best")).height == 1
    assert log["train_loss"].is_null().to_list() == [True, *[False] * (log.height - 1)]


@pytest.mark.parametrize(
    ("notes", "facts"), [([], {}), (["a", "b"], {"warning": "the new model learned nothing: a; b"})]
)
def test_a_model_that_learned_nothing_is_a_warning_of_the_build(notes, facts):
    assert failed_training_warning(notes) == facts
