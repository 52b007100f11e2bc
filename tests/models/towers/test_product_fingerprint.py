"""Models have the same product fingerprint exactly if they compute the same product vectors."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch

from models.settings import TowerSettings
from models.towers.checkpoint import save
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.towers.network import TwoTower
from models.towers.numpy_inference import ProductTower
from models.towers.product_fingerprint import product_side
from models.towers.trained_model import TrainedModel, feature_sizes

DIM = 6
FEATURES = pl.DataFrame({"words": [1, 2, 3], "brand": ["a", "a", "b"]})
SPEC = FeatureSpec(numeric=("words",), categorical=("brand",))


def model(mode, seed=0, alpha=0.5, rows=FEATURES):
    """Return a tower with random weights everywhere, as training leaves it."""
    settings = TowerSettings(mode=mode, width=4, vocabulary_minimum=1)
    encoder = FeatureEncoder.fit(rows, SPEC, settings)
    torch.manual_seed(seed)
    towers = TwoTower(DIM, feature_sizes(encoder), feature_sizes(encoder), settings)
    with torch.no_grad():
        for weights in towers.parameters():
            weights.uniform_(-1, 1)
    towers.alpha = alpha
    return TrainedModel(towers=towers, query_encoder=encoder, product_encoder=encoder, best_epoch=1, notes=())


@pytest.fixture
def side(tmp_path):
    """Return a function that saves a model, and returns its product side and its vectors."""
    number = iter(range(100))

    def read(trained, encoder="enc"):
        folder = tmp_path / str(next(number))
        save(folder, trained, {"encoder": encoder})
        vectors = np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32)
        return product_side(folder), ProductTower.load(folder)(vectors, FEATURES)

    return read


def test_models_that_leave_products_as_they_are_share_one_side(side):
    (first, one), (second, two), (third, three) = (
        side(model("query_only", seed=1)),
        side(model("query_only", seed=2, alpha=0.25)),
        side(model("separate", alpha=0.0)),
    )
    assert first == second == third
    assert first.columns == ()
    assert (one == two).all()
    assert (one == three).all()


def test_another_encoder_is_another_side(side):
    assert side(model("query_only"))[0] != side(model("query_only"), encoder="other")[0]


@pytest.mark.parametrize("mode", ["separate", "tied"])
def test_whatever_changes_a_vector_changes_the_side(side, mode):
    own, vectors = side(model(mode))
    assert own.columns == ("words", "brand")
    assert side(model(mode))[0] == own
    for other in (
        model(mode, seed=1),
        model(mode, alpha=0.25),
        model(mode, rows=FEATURES.with_columns(words=pl.Series([1, 2, 9]))),
    ):
        changed_side, made = side(other)
        assert changed_side.fingerprint != own.fingerprint
        assert (made != vectors).any()


def test_the_query_side_of_separate_towers_does_not_count(side):
    trained = model("separate")
    own, _ = side(trained)
    with torch.no_grad():
        for weights in (*trained.towers.trunks["query"].parameters(), *trained.towers.branches["query"].parameters()):
            weights.add_(1)
    assert side(dataclasses.replace(trained))[0] == own
