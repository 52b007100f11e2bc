"""Forests: plain arrays that score as LightGBM does."""

import copy

import lightgbm
import numpy as np
import pytest

from models.errors import ModelError
from models.ranking.forest import Forest
from models.ranking.lambdamart import forest_of

QUERIES, LENGTH = 20, 12


def sample(seed: int, *, missing: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(QUERIES * LENGTH, 4)).round(1)
    rows[:, 2] = random.integers(-2, 3, len(rows))
    if missing:
        rows[random.random(rows.shape) < 0.2] = np.nan
    return rows


def trained(rows: np.ndarray, trees: int = 12) -> lightgbm.Booster:
    grades = np.random.default_rng(0).integers(0, 4, len(rows))
    data = lightgbm.Dataset(rows, grades, group=[LENGTH] * QUERIES, params={"verbosity": -1})
    settings = {"objective": "lambdarank", "num_leaves": 7, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(settings, data, trees)


@pytest.mark.parametrize("missing", [True, False])
def test_a_forest_scores_as_lightgbm_does(missing):
    booster = trained(sample(1, missing=missing))
    forest = forest_of(booster.dump_model())
    assert len(forest.roots) == 12
    for rows in (sample(1, missing=missing), sample(2, missing=True), np.zeros((1, 4)), np.full((1, 4), np.nan)):
        assert forest(rows) == pytest.approx(booster.predict(rows), abs=1e-12)
    assert forest(np.empty((0, 4))).tolist() == []


def test_a_tree_without_a_split_is_one_leaf():
    booster = trained(np.zeros((QUERIES * LENGTH, 4)), trees=1)
    rows = sample(2, missing=True)
    assert forest_of(booster.dump_model())(rows) == pytest.approx(booster.predict(rows))


def test_a_row_goes_left_up_to_the_threshold(tree):
    rows = np.array([[0, 3.0], [0, 3.1], [0, np.nan], [np.nan, 4]])
    assert tree(rows).tolist() == [-1, 10, -1, 10]


def test_a_forest_comes_back_from_json_as_it_was():
    forest = forest_of(trained(sample(1, missing=True)).dump_model())
    again = Forest.from_json(forest.to_json())
    assert again.to_json() == forest.to_json()
    rows = sample(2, missing=True)
    assert np.array_equal(again(rows), forest(rows))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("roots", [3]),
        ("roots", [-1]),
        ("lefts", [0, 1, 2]),
        ("lefts", [3, 1, 2]),
        ("rights", [-1, 1, 2]),
        ("rights", [2, 1]),
        ("values", [0.0, "x", 1.0]),
        ("values", None),
        ("features", [[1], [-1], [-1]]),
        ("missing_left", [True]),
    ],
)
def test_a_damaged_forest_is_refused(tree, name, value):
    content = copy.deepcopy(tree.to_json())
    content[name] = value
    with pytest.raises(ModelError, match="the ranker's trees are damaged") as refusal:
        Forest.from_json(content)
    assert "stockroom build" in str(refusal.value)
    del content[name]
    with pytest.raises(ModelError, match="damaged"):
        Forest.from_json(content)
