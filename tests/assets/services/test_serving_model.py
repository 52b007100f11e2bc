"""A model serves with the encoder and the features of its training, as long as they exist."""

import json
from dataclasses import replace

import polars as pl
import pytest

from assets.evaluation.champion_challenger import current_gate_result
from assets.services.live_model import live_champion, unservable_reason
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.features import datasets


@pytest.fixture
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


def _edit(run_context, model_id, change):
    path = run_context.home.models / model_id / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_the_input_hash_follows_the_text_and_the_features_that_the_model_reads(run_context):
    model = ServingModel(run_context, model_name(run_context))
    products = datasets.products(run_context.home.lake).head(1)
    (before,) = model.with_input_hash(products)["input_hash"]
    changes = {name: pl.lit("other") for name in ("title", "brand", "color")}
    changes |= {name: pl.lit(None, products.schema[name]) for name in model.product_columns}
    present = [name for name in changes if products[name][0] is not None]
    assert {"title", "title_words"} <= set(present)
    for column in present:
        (after,) = model.with_input_hash(products.with_columns(changes[column].alias(column)))["input_hash"]
        assert after != before, column
    for column in ("product_id", "feature_hash"):
        other = products.with_columns(pl.lit("other").alias(column))
        assert model.with_input_hash(other)["input_hash"].to_list() == [before]


def test_a_complete_model_is_servable(run_context):
    assert unservable_reason(run_context, model_name(run_context)) is None


def test_what_hinders_a_model_is_named(run_context):
    model_id = model_name(run_context)
    encoder = read_manifest(run_context.home.models / model_id)["metadata"]["encoder"]
    _edit(run_context, model_id, lambda manifest: manifest["metadata"].update(encoder="0123456789abcdef"))
    assert (
        unservable_reason(run_context, model_id)
        == f"its encoder 0123456789abcdef is not in {run_context.home.encoders}"
    )

    def lose(manifest):
        manifest["metadata"].update(encoder=encoder)
        scale = manifest["features"]["product"]["numeric"].popitem()[1]
        manifest["features"]["product"]["numeric"]["prices.price"] = scale

    _edit(run_context, model_id, lose)
    assert unservable_reason(run_context, model_id) == "the features prices.price that the model reads no longer exist"
    (run_context.home.models / model_id / MANIFEST_FILE).unlink()
    assert "cannot be read" in unservable_reason(run_context, model_id)


def test_an_encoder_that_the_settings_chose_earlier_still_serves(run_context):
    other = replace(run_context, encoder=run_context.encoder.model_copy(update={"max_tokens": 128}))
    live = run_context.home.releases.live()
    champion = live_champion(other, "another")
    assert champion.model_id == live.model_id
    assert champion.texts.fingerprint == live.encoder_fingerprint
    vectors = champion.text_vectors(["a text that no one has seen"])
    assert (vectors == ServingModel(run_context, live.model_id).texts.encoded(["a text that no one has seen"])).all()


def test_there_is_no_champion_if_the_live_model_is_the_new_one(run_context):
    assert live_champion(run_context, model_name(run_context)) is None
    assert current_gate_result(run_context) is None


def test_a_model_without_a_gate_result_is_not_published(run_context, monkeypatch):
    live = run_context.home.releases.live()
    copied = run_context.home.models / "another"
    copied.mkdir()
    for file in (run_context.home.models / live.model_id).iterdir():
        copied.joinpath(file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr("assets.evaluation.champion_challenger.model_name", lambda _run_context: "another")
    with pytest.raises(WarehouseError, match="another was not yet compared with the live model"):
        current_gate_result(run_context)
