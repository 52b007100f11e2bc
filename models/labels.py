"""The ESCI labels: their codes and gains, for training and evaluation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = ("I", "C", "S", "E")
"""Irrelevant, Complement, Substitute, Exact: a label's code is its position; higher codes are more relevant."""

LABEL_CODES = {label: code for code, label in enumerate(LABELS)}
IRRELEVANT, COMPLEMENT, SUBSTITUTE, EXACT = range(len(LABELS))

GAINS: Mapping[str, float] = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
"""Gains of the ESCI paper (Reddy et al., 2022, arXiv 2206.06588, section 4.1): the headline ``ndcg``."""

OFFICIAL_GAINS: Mapping[str, float] = {"E": 1.0, "S": 0.01, "C": 0.1, "I": 0.0}
"""Gains of the data set's own code, with S and C swapped: ``ndcg_official``, comparable with published numbers."""


def gains_of(labels: NDArray[np.integer[Any]], gains: Mapping[str, float] = GAINS) -> NDArray[np.float64]:
    """Look up the gain of each label code: (rows,) to (rows,)."""
    table = np.array([gains[label] for label in LABELS], dtype=np.float64)
    return np.take(table, labels)
