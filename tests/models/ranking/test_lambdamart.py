"""LambdaMART: equal inputs give an equal forest, which learns what tells Exact products from others."""

import numpy as np
import pytest

from models.ranking.lambdamart import train_forest
from models.settings import RankingSettings

SETTINGS = RankingSettings(trees=8, leaves=4, min_leaf=5)
NAMES = ("noise", "text_score", "empty")


def judged() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return 30 queries with 10 products each, whose text score tells their grade."""
    random = np.random.default_rng(7)
    grades = random.integers(0, 4, 300).astype(np.int8)
    rows = np.column_stack([random.normal(size=300), grades + random.normal(size=300) / 4, np.full(300, np.nan)])
    return rows, grades, [10] * 30


def test_equal_inputs_give_an_equal_forest_and_another_seed_another():
    one, two = (train_forest(*judged(), NAMES, SETTINGS, 3) for _ in range(2))
    assert one.forest.to_json() == two.forest.to_json()
    assert one.importances == two.importances
    assert train_forest(*judged(), NAMES, SETTINGS, 4).forest.to_json() != one.forest.to_json()


def test_a_forest_puts_better_grades_first():
    rows, grades, sizes = judged()
    learned = train_forest(rows, grades, sizes, NAMES, SETTINGS, 0)
    assert len(learned.forest.roots) == 8
    scores = learned.forest(rows)
    means = [scores[grades == grade].mean() for grade in range(4)]
    assert means == sorted(means)
    assert list(learned.importances) == list(NAMES)
    assert sum(learned.importances.values()) == pytest.approx(1)
    assert learned.importances["text_score"] > 0.8
    assert learned.importances["empty"] == 0


def test_features_that_tell_nothing_give_a_forest_that_scores_alike():
    learned = train_forest(np.zeros((300, 3)), judged()[1], [10] * 30, NAMES, SETTINGS, 0)
    assert len(set(learned.forest(judged()[0]).tolist())) == 1
    assert learned.importances == dict.fromkeys(NAMES, 0)
