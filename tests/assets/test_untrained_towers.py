"""Untrained towers return the scores of the encoder, with every feature that the contracts declare."""

import numpy as np
import pytest
import torch

from assets.services.model_training import feature_spec
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from models.settings import TowerSettings
from models.towers import checkpoint
from models.towers.feature_encoder import FeatureEncoder
from models.towers.network import TwoTower
from models.towers.numpy_inference import ProductTower, QueryTower
from models.towers.trained_model import TrainedModel, feature_sizes
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets


@pytest.fixture(scope="module")
def sides(built):
    """Return for each side the encoder's vectors of real rows, their features, and what its tower reads."""
    run_context = open_run_context(load_settings(built.home))
    vectors, lake = TextVectors(run_context), run_context.home.lake
    queries, products = datasets.queries(lake), datasets.products(lake)
    return {
        "query": (vectors.cached(query_texts(queries)), queries, feature_spec("features.queries")),
        "product": (vectors.cached(product_texts(products)), products, feature_spec("features.products")),
    }


def test_all_declared_features_are_read(sides):
    for side, table in (("query", "features.queries"), ("product", "features.products")):
        declared = [name for name, column in CONTRACTS[table].columns.items() if (column.metadata or {}).get("tower")]
        assert len(declared) >= 9
        assert set(sides[side][2].columns) == set(declared)


@pytest.mark.parametrize("mode", ["separate", "tied", "query_only"])
@pytest.mark.parametrize("layers", [1, 2])
def test_vectors_and_scores_are_the_encoders(sides, mode, layers, tmp_path):
    settings = TowerSettings(mode=mode, layers=layers)
    encoders = {side: FeatureEncoder.fit(rows, spec, settings) for side, (_, rows, spec) in sides.items()}
    torch.manual_seed(0)
    towers = TwoTower(384, *(feature_sizes(encoder) for encoder in encoders.values()), settings).eval()
    assert towers.alpha == 1.0  # nothing is scaled away: the change itself is none
    checkpoint.save(tmp_path / "model", TrainedModel(towers, encoders["query"], encoders["product"]), {})
    served = {"query": QueryTower.load(tmp_path / "model"), "product": ProductTower.load(tmp_path / "model")}
    served_vectors = {}
    for side, (base, rows, spec) in sides.items():
        plain = base / np.linalg.norm(base, axis=1, keepdims=True)
        with torch.no_grad():
            numbers = [torch.from_numpy(part) for part in encoders[side].transform(rows)]
            trained = towers(side, torch.from_numpy(base), *numbers).numpy()
        served_vectors[side] = served[side](base, rows.select(spec.columns))
        assert np.abs(trained - plain).max() <= 1e-6
        assert np.abs(served_vectors[side] - plain).max() <= 1e-6
    scores, expected = (
        queries @ products.T
        for queries, products in (
            served_vectors.values(),
            [base / np.linalg.norm(base, axis=1, keepdims=True) for base, *_ in sides.values()],
        )
    )
    assert np.abs(scores - expected).max() <= 1e-6
