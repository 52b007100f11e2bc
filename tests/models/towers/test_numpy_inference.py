import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from models.errors import ModelError
from models.settings import TowerSettings
from models.towers.checkpoint import save
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.towers.network import TwoTower
from models.towers.numpy_inference import ProductTower, QueryTower
from models.towers.trained_model import TrainedModel, feature_sizes

DIM, ROWS = 384, 300
SPEC = FeatureSpec(numeric=("length", "sale"), categorical=("brand",))


def world(seed=0):
    rng = np.random.default_rng(seed)
    features = pl.DataFrame(
        {
            "length": np.where(rng.random(ROWS) < 0.2, np.nan, 1000 * rng.normal(size=ROWS)),
            "sale": rng.random(ROWS) < 0.5,
            "brand": rng.choice(["a", "b", "c", "seldom"], ROWS),
        }
    )
    return rng.normal(size=(ROWS, DIM)).astype(np.float32), features


def saved(directory, mode="separate", layers=1, spec=SPEC, alpha=0.75, scale=0.05):
    """Save a model with random weights, large enough to move every vector a good way."""
    settings = TowerSettings(mode=mode, layers=layers, width=96)
    encoder = FeatureEncoder.fit(world()[1], spec, settings)
    torch.manual_seed(1)
    towers = TwoTower(DIM, feature_sizes(encoder), feature_sizes(encoder), settings).eval()
    with torch.no_grad():
        for parameter in towers.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    towers.alpha = alpha
    model = TrainedModel(towers, encoder, encoder)
    save(directory, model, {})
    return model


@pytest.mark.parametrize("mode", ["tied", "separate", "query_only"])
@pytest.mark.parametrize("layers", [1, 2])
def test_both_sides_equal_torch(tmp_path, mode, layers):
    model, (x, features) = saved(tmp_path / "model", mode, layers), world()
    inputs = [torch.from_numpy(part) for part in (x, *model.query_encoder.transform(features))]
    for side, tower in (("query", QueryTower), ("product", ProductTower)):
        with torch.no_grad():
            expected = model.towers(side, *inputs).numpy()
        np.testing.assert_allclose(tower.load(tmp_path / "model")(x, features), expected, atol=1e-5, rtol=0)
    moved = QueryTower.load(tmp_path / "model")(x, features) - x / np.linalg.norm(x, axis=1, keepdims=True)
    assert np.abs(moved).max() > 0.05


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_weights_of_any_size_equal_torch(tmp_path, scale):
    model, (x, features) = saved(tmp_path / "model", scale=scale), world()
    numeric, categorical = (torch.from_numpy(part) for part in model.query_encoder.transform(features))
    with torch.no_grad():
        # float64, since weights this large leave float32 itself further off than 1e-5
        expected = model.towers.double()("query", torch.from_numpy(x).double(), numeric.double(), categorical)
    np.testing.assert_allclose(QueryTower.load(tmp_path / "model")(x, features), expected.numpy(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_rows_bits_depend_on_that_row_only(tmp_path, layers):
    saved(tmp_path / "model", layers=layers)
    tower, (x, features) = ProductTower.load(tmp_path / "model"), world()
    whole = tower(x, features)
    for size in (1, 2, 3, 7, 64, 299):
        parts = [tower(x[start : start + size], features[start : start + size]) for start in range(0, ROWS, size)]
        assert np.array_equal(np.concatenate(parts), whole)
    order = np.random.default_rng(2).permutation(ROWS)
    assert np.array_equal(tower(x[order], features[order]), whole[order])
    # the same row between other neighbors, and in another memory layout
    assert np.array_equal(tower(np.asfortranarray(x), features), whole)
    strange = 1e3 * np.ones_like(x)
    strange[5] = x[5]
    assert np.array_equal(tower(strange, features)[5], whole[5])


def test_alpha_0_and_the_query_only_product_are_the_encoder_and_need_no_features(tmp_path):
    x, _ = world()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    saved(tmp_path / "zero", alpha=0.0)
    saved(tmp_path / "query_only", mode="query_only")
    np.testing.assert_allclose(QueryTower.load(tmp_path / "zero")(x), unit, atol=1e-6)
    np.testing.assert_allclose(ProductTower.load(tmp_path / "query_only")(x), unit, atol=1e-6)


def test_no_rows_and_no_features_are_fine(tmp_path):
    saved(tmp_path / "model", spec=FeatureSpec())
    tower = QueryTower.load(tmp_path / "model")
    assert tower(np.empty((0, DIM), dtype=np.float32)).shape == (0, DIM)
    np.testing.assert_allclose(np.linalg.norm(tower(world()[0]), axis=1), 1.0, atol=1e-6)


def test_wrong_width_and_missing_features_are_named(tmp_path):
    saved(tmp_path / "model")
    tower, (x, features) = QueryTower.load(tmp_path / "model"), world()
    with pytest.raises(ModelError, match="vectors of width 384"):
        tower(x[:, :10], features)
    with pytest.raises(ModelError, match="needs one row of features"):
        tower(x)
    with pytest.raises(ModelError, match="needs one row of features"):
        tower(x, features[:-1])


def test_serves_without_torch(tmp_path):
    saved(tmp_path / "model", spec=FeatureSpec())
    code = (
        "import sys, pathlib, numpy; from models.towers.numpy_inference import QueryTower;"
        f"QueryTower.load(pathlib.Path({str(tmp_path / 'model')!r}))(numpy.ones((1, {DIM}), dtype=numpy.float32));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
