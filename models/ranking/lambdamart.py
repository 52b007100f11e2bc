"""LambdaMART: trees that order the candidates of a query by their gains (Burges, 2010), trained by LightGBM."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.labels import GAINS, LABELS
from models.ranking.forest import Forest
from models.settings import RankingSettings


@dataclass(frozen=True)
class LearnedForest:
    """Hold a forest and the share of each feature in the gain of all splits, which add up to 1."""

    forest: Forest
    importances: dict[str, float]


def train_forest(
    rows: NDArray[np.float64],
    grades: NDArray[np.int8],
    sizes: Sequence[int],
    names: Sequence[str],
    settings: RankingSettings,
    seed: int,
) -> LearnedForest:
    """Train a forest: equal inputs give an equal forest.

    Args:
        rows: the candidates' features, query after query: (candidates, features); NaN where there is no value.
        grades: 3 for Exact, 2 Substitute, 1 Complement, 0 Irrelevant or not judged: (candidates,).
        sizes: the number of candidates of each query.
        names: the names of the features.
        settings: trees and leaves.
        seed: seed of the sampling of rows and features.
    """
    lightgbm = _lightgbm()
    data = lightgbm.Dataset(rows, grades, group=list(sizes), feature_name=list(names), params={"verbosity": -1})
    parameters = {
        "objective": "lambdarank",
        "label_gain": [GAINS[label] for label in LABELS],
        "lambdarank_truncation_level": 30,
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_leaf,
        "lambda_l2": 1.0,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": 1,
        "deterministic": True,
        "seed": seed,
        "verbosity": -1,
    }
    booster = lightgbm.train(parameters, data, settings.trees)
    gains = booster.feature_importance("gain")
    shares = gains / max(gains.sum(), 1e-12)
    return LearnedForest(forest_of(booster.dump_model()), dict(zip(names, shares.tolist(), strict=True)))


def _lightgbm() -> Any:
    """Import LightGBM. It needs the OpenMP runtime of GCC, which torch brings where the system has none."""
    try:
        import lightgbm
    except OSError:
        import torch  # noqa: F401

        return import_module("lightgbm")
    return lightgbm


def forest_of(dump: dict[str, Any]) -> Forest:
    """Return the forest of LightGBM's description of a model."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("features", "thresholds", "missing_left", "lefts", "rights", "values")
    }

    def add(node: dict[str, Any]) -> int:
        place = len(columns["values"])
        is_leaf = "split_feature" not in node
        # Where no value was missing in training, LightGBM takes a missing one for 0.
        missing_left = (
            node.get("default_left", True) if node.get("missing_type") == "NaN" else node.get("threshold", 0) >= 0
        )
        row = {
            "features": -1 if is_leaf else node["split_feature"],
            "thresholds": node.get("threshold", 0.0),
            "missing_left": missing_left,
            "lefts": place,
            "rights": place,
            "values": node.get("leaf_value", 0.0),
        }
        for name, value in row.items():
            columns[name].append(value)
        if not is_leaf:
            columns["lefts"][place] = add(node["left_child"])
            columns["rights"][place] = add(node["right_child"])
        return place

    roots = [add(tree["tree_structure"]) for tree in dump["tree_info"]]
    return Forest.from_json({"roots": roots, **columns})
