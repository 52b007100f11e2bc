"""Candidates that are small enough to work out by hand, and a tree of three nodes."""

import numpy as np
import pytest

from models.ranking.candidates import Candidates
from models.ranking.forest import Forest


@pytest.fixture
def candidates() -> Candidates:
    """Return the candidates of three queries: three products of us, of which the last was not found, two of es, one of us."""
    return Candidates(
        offsets=np.array([0, 3, 5, 6]),
        cosines=np.array([0.5, 0.9, 0.1, 0.3, 0.3, 0.2]),
        features=np.array([[7, 4], [np.nan, 2], [9, 8], [1, 0], [1, 3], [5, 0]], float),
        likelihoods=np.array([-1, -2, 0, np.nan, np.nan, -3]),
        names=("title_words", "text_score"),
        locales=np.array(["us", "us", "us", "es", "es", "us"]),
        readable=np.ones(3, bool),
        is_retrieved=np.array([True, True, False, True, True, True]),
    )


@pytest.fixture
def tree() -> Forest:
    """Return a forest of one tree, which gives 10 to a text score above 3, and -1 to others."""
    return Forest.from_json(
        {
            "roots": [0],
            "features": [1, -1, -1],
            "thresholds": [3.0, 0.0, 0.0],
            "missing_left": [True, True, True],
            "lefts": [1, 1, 2],
            "rights": [2, 1, 2],
            "values": [0.0, -1.0, 10.0],
        }
    )
