"""A model serves with what it was trained with, as long as that is there."""

import json
from dataclasses import replace

import polars as pl
import pytest

from assets.model.two_tower import model_name
from assets.release.promotion_gate import current_verdict
from assets.services.serving_model import ServingModel, hindrance, live_rival
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.config.open_context import open_workspace
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.features import datasets


@pytest.fixture
def workspace(copy_home):
    return open_workspace(load_settings(copy_home()))


def _edit(workspace, model_id, change):
    path = workspace.home.models / model_id / MANIFEST_FILE
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_the_input_hash_follows_the_text_and_the_features_that_the_model_reads(workspace):
    model = ServingModel(workspace, model_name(workspace))
    products = datasets.products(workspace.home.lake).head(1)
    (before,) = model.with_input_hash(products)["input_hash"]
    changes = {name: pl.lit("other") for name in ("title", "brand", "color")}
    changes |= {name: pl.lit(None, products.schema[name]) for name in model.product_columns}
    held = [name for name in changes if products[name][0] is not None]
    assert {"title", "title_words"} <= set(held)
    for column in held:
        (after,) = model.with_input_hash(products.with_columns(changes[column].alias(column)))["input_hash"]
        assert after != before, column
    for column in ("product_id", "feature_hash"):
        other = products.with_columns(pl.lit("other").alias(column))
        assert model.with_input_hash(other)["input_hash"].to_list() == [before]


def test_a_model_whose_parts_are_all_there_is_not_hindered(workspace):
    assert hindrance(workspace, model_name(workspace)) is None


def test_what_hinders_a_model_is_named(workspace):
    model_id = model_name(workspace)
    encoder = read_manifest(workspace.home.models / model_id)["metadata"]["encoder"]
    _edit(workspace, model_id, lambda manifest: manifest["metadata"].update(encoder="0123456789abcdef"))
    assert hindrance(workspace, model_id) == "its encoder 0123456789abcdef is not at hand"

    def lose(manifest):
        manifest["metadata"].update(encoder=encoder)
        scale = manifest["features"]["product"]["numeric"].popitem()[1]
        manifest["features"]["product"]["numeric"]["prices.price"] = scale

    _edit(workspace, model_id, lose)
    assert hindrance(workspace, model_id) == "the features prices.price that it reads are gone"
    (workspace.home.models / model_id / MANIFEST_FILE).unlink()
    assert "cannot be read" in hindrance(workspace, model_id)


def test_an_encoder_that_the_settings_chose_earlier_still_serves(workspace):
    other = replace(workspace, encoder=workspace.encoder.model_copy(update={"max_tokens": 128}))
    live = workspace.home.releases.live()
    rival = live_rival(other, "another")
    assert rival.model_id == live.model_id
    assert rival.texts.fingerprint == live.encoder_fingerprint
    vectors = rival.text_vectors(["a text that no one has seen"])
    assert (vectors == ServingModel(workspace, live.model_id).texts.encoded(["a text that no one has seen"])).all()


def test_there_is_no_rival_where_the_live_model_is_the_new_one(workspace):
    assert live_rival(workspace, model_name(workspace)) is None
    assert current_verdict(workspace) is None


def test_a_model_that_the_gate_has_not_seen_is_not_decided_on(workspace, monkeypatch):
    live = workspace.home.releases.live()
    copied = workspace.home.models / "another"
    copied.mkdir()
    for file in (workspace.home.models / live.model_id).iterdir():
        copied.joinpath(file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr("assets.release.promotion_gate.model_name", lambda _workspace: "another")
    with pytest.raises(WarehouseError, match="another was not yet held against the live one"):
        current_verdict(workspace)
