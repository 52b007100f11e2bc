import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from models.encoder.torch_backend import TorchEncoder
from models.export.sentence_transformer import (
    TOLERANCE,
    carried_layers,
    encode_side,
    load_export,
    save_sentence_transformer,
)
from models.settings import EncoderSettings, TowerSettings
from models.towers.checkpoint import save
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.towers.network import TwoTower
from models.towers.numpy_inference import ProductTower, QueryTower, ServingTower
from models.towers.trained_model import TrainedModel, feature_sizes

SPEC = FeatureSpec(numeric=("length",), categorical=("brand",))
FEATURES = pl.DataFrame({"length": [1.0, 5.0, None, 9.0], "brand": ["a", "b", "a", None]})
TEXTS = ["wireless earbuds", "", "zapatos de mujer sin cordones", "ワイヤレス イヤホン", "desk lamp " * 300]


def saved(directory: Path, dim: int = 384, mode: str = "separate", layers: int = 1, spec: FeatureSpec = SPEC) -> None:
    """Save a model with random weights, large enough to move every vector a good way."""
    settings = TowerSettings.model_validate({"mode": mode, "layers": layers, "width": 48, "vocabulary_minimum": 1})
    encoder = FeatureEncoder.fit(FEATURES, spec, settings)
    torch.manual_seed(3)
    towers = TwoTower(dim, feature_sizes(encoder), feature_sizes(encoder), settings).eval()
    with torch.no_grad():
        for parameter in towers.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    towers.alpha = 0.75
    save(directory, TrainedModel(towers, encoder, encoder), {})


def sides(directory: Path) -> dict[str, ServingTower]:
    both = {"query": QueryTower.load(directory), "product": ProductTower.load(directory)}
    return {side: tower.without_features(FEATURES) for side, tower in both.items()}


def chain(layers: list, x: np.ndarray) -> np.ndarray:
    for position, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if position < len(layers) - 1:
            x = x / (1 + np.exp(-x))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("mode", ["tied", "separate", "query_only"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_dense_layers_alone_say_what_a_tower_does(tmp_path: Path, mode: str, layers: int) -> None:
    saved(tmp_path / "model", dim=12, mode=mode, layers=layers)
    weights = {name: one.astype(np.float64) for name, one in _tensors(tmp_path / "model").items()}
    x = np.random.default_rng(0).normal(size=(50, 12))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for side, tower in sides(tmp_path / "model").items():
        chained = carried_layers(weights, tower)
        assert len(chained) == (0 if (mode, side) == ("query_only", "product") else layers + 1)
        np.testing.assert_allclose(chain(chained, x), tower(x.astype(np.float32)), atol=2e-6)


def test_a_text_alone_has_the_mean_of_what_features_add(tmp_path: Path) -> None:
    saved(tmp_path / "model", dim=12)
    tower = QueryTower.load(tmp_path / "model")
    x = np.eye(12, dtype=np.float32)[:4]
    same = pl.DataFrame({"length": [5.0] * 4, "brand": ["b"] * 4})
    assert np.array_equal(tower.without_features(same)(x), tower(x, same))
    assert not np.allclose(tower.without_features(FEATURES)(x), tower(x, same), atol=1e-4)


@pytest.mark.parametrize("mode", ["separate", "query_only"])
def test_stock_sentence_transformers_gives_the_towers_vectors(tmp_path: Path, mode: str) -> None:
    saved(tmp_path / "model", mode=mode)
    settings = EncoderSettings(backend="torch")
    towers = sides(tmp_path / "model")
    save_sentence_transformer(tmp_path / "out", tmp_path / "model", settings, towers["query"], towers["product"])
    stock, base = load_export(tmp_path / "out"), TorchEncoder(settings).encode(TEXTS)
    for side, tower in towers.items():
        ours, theirs = tower(base), encode_side(stock, TEXTS, side)
        assert np.abs(ours - theirs).max() <= TOLERANCE
    # a text without a side is taken for a product
    assert np.array_equal(np.asarray(stock.encode(TEXTS[:1])), encode_side(stock, TEXTS[:1], "product"))


def test_no_code_of_ours_is_needed_to_load_an_export(tmp_path: Path) -> None:
    saved(tmp_path / "model")
    towers = sides(tmp_path / "model")
    save_sentence_transformer(
        tmp_path / "out", tmp_path / "model", EncoderSettings(), towers["query"], towers["product"]
    )
    modules = json.loads((tmp_path / "out" / "modules.json").read_text())
    routed = json.loads((tmp_path / "out" / modules[-1]["path"] / "router_config.json").read_text())
    types = [module["type"] for module in modules] + list(routed["types"].values())
    assert all(name.startswith("sentence_transformers.") for name in types)
    assert not [path.name for path in (tmp_path / "out").rglob("*") if path.suffix in {".py", ".bin", ".pt", ".pkl"}]


def _tensors(directory: Path) -> dict[str, np.ndarray]:
    from models.towers.checkpoint_files import read_manifest, read_tensors

    return read_tensors(directory, read_manifest(directory))
