import json

import polars as pl
import pytest
import torch

from models.errors import ModelError
from models.settings import TowerSettings
from models.towers.checkpoint import load, save
from models.towers.checkpoint_files import read_file, read_manifest
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.towers.network import TwoTower
from models.towers.numpy_inference import QueryTower
from models.towers.trained_model import TrainedModel, feature_sizes

METADATA = {"encoder": "f00d", "snapshot": 7, "seed": 0, "metrics": {"recall@10": 0.1 + 0.2}}


def model(seed=0):
    settings = TowerSettings(width=8, layers=2)
    frame = pl.DataFrame({"length": [1.0, 2.5, None], "brand": ["ä", "ä", "ä"]})
    query = FeatureEncoder.fit(frame, FeatureSpec(("length",), ("brand",)), settings)
    product = FeatureEncoder.fit(frame, FeatureSpec((), ("brand",)), settings)
    torch.manual_seed(seed)
    towers = TwoTower(4, feature_sizes(query), feature_sizes(product), settings)
    with torch.no_grad():
        towers.trunks["query"].last.weight.normal_()
    towers.alpha = 0.5
    return TrainedModel(towers.eval(), query, product, best_epoch=3, notes=("a note",))


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_model_comes_back_as_it_was(tmp_path):
    before = model()
    save(tmp_path / "model", before, METADATA)
    after, metadata = load(tmp_path / "model")
    assert metadata == METADATA
    assert (after.query_encoder, after.product_encoder) == (before.query_encoder, before.product_encoder)
    assert (after.towers.alpha, after.best_epoch, after.notes) == (0.5, 3, ("a note",))
    assert after.towers.settings == before.towers.settings
    inputs = (torch.randn(3, 4), torch.randn(3, 4), torch.tensor([[0], [1], [0]]))
    assert torch.equal(after.towers("query", *inputs), before.towers("query", *inputs))


def test_the_same_model_gives_the_same_bytes_and_nothing_else_is_left_behind(tmp_path):
    save(tmp_path / "one", model(), METADATA)
    save(tmp_path / "two", model(), METADATA)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert files(tmp_path / "one").keys() == {"model.json", "towers.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


def test_saving_again_replaces_the_folder_whole(tmp_path):
    save(tmp_path / "model", model(), METADATA)
    (tmp_path / "model" / "stray").touch()
    save(tmp_path / "model", model(seed=1), METADATA)
    save(tmp_path / "other", model(seed=1), METADATA)
    assert files(tmp_path / "model") == files(tmp_path / "other")


def test_a_save_that_fails_leaves_the_old_model_in_place(tmp_path):
    save(tmp_path / "model", model(), METADATA)
    before = files(tmp_path / "model")
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(tmp_path / "model", model(seed=1), {"recall@10": float("nan")})
    assert files(tmp_path / "model") == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("read", [load, QueryTower.load])
@pytest.mark.parametrize("name", ["model.json", "towers.safetensors"])
def test_a_missing_or_damaged_file_is_named(tmp_path, read, name):
    save(tmp_path / "model", model(), METADATA)
    path = tmp_path / "model" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match=name):
        read(tmp_path / "model")
    path.unlink()
    with pytest.raises(ModelError, match=f"{name} cannot be read") as error:
        read(tmp_path / "model")
    assert f"remove the folder {tmp_path / 'model'}" in error.value.hint


@pytest.mark.parametrize(("change", "message"), [({"format": 99}, "has format 99"), ({"alpha": None}, "lacks alpha")])
def test_a_description_of_another_kind_is_refused(tmp_path, change, message):
    save(tmp_path / "model", model(), METADATA)
    path = tmp_path / "model" / "model.json"
    manifest = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({name: value for name, value in manifest.items() if value is not None}))
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "model")


def test_weights_of_another_shape_are_refused(tmp_path):
    save(tmp_path / "model", model(), METADATA)
    path = tmp_path / "model" / "model.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "dim": 5}))
    with pytest.raises(ModelError, match="do not fit"):
        load(tmp_path / "model")


def test_what_is_frozen_with_a_model_comes_back_or_is_refused(tmp_path):
    directory = tmp_path / "model"
    save(directory, model(), METADATA, {"words.txt": b"red"})
    manifest = read_manifest(directory)
    assert read_file(directory, manifest, "words.txt") == b"red"
    with pytest.raises(ModelError, match=r"was saved without other\.txt"):
        read_file(directory, manifest, "other.txt")
    (directory / "words.txt").write_bytes(b"blue")
    with pytest.raises(ModelError, match=r"words\.txt is not the file that was saved"):
        read_file(directory, manifest, "words.txt")
