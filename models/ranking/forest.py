"""Forests of regression trees as plain arrays: read from JSON, scored by numpy, without the library that trained them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

_ARRAYS = ("features", "thresholds", "missing_left", "lefts", "rights", "values")


@dataclass(frozen=True)
class Forest:
    """Score rows by the sum of one leaf of each tree.

    Attributes:
        roots: the number of each tree's first node: (trees,).
        features: the feature that a node compares, -1 at a leaf: (nodes,).
        thresholds: a row goes left if its value is at most this: (nodes,).
        missing_left: whether a row without a value goes left: (nodes,).
        lefts: the next node to the left: (nodes,).
        rights: the next node to the right: (nodes,).
        values: the value of a leaf: (nodes,).
    """

    roots: NDArray[np.int64]
    features: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    lefts: NDArray[np.int64]
    rights: NDArray[np.int64]
    values: NDArray[np.float64]

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score of each row: (rows, features) to (rows,). A missing value is NaN."""
        nodes = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()  # (rows, trees)
        here = np.arange(len(rows))[:, None]
        for _ in range(self._depth):
            values = rows[here, self._compared[nodes]]
            left = np.where(np.isnan(values), self.missing_left[nodes], values <= self.thresholds[nodes])
            nodes = np.where(left, self.lefts[nodes], self.rights[nodes])
        scores: NDArray[np.float64] = self.values[nodes].sum(axis=1)
        return scores

    def to_json(self) -> dict[str, Any]:
        """Return the forest as plain values."""
        return {name: getattr(self, name).tolist() for name in ("roots", *_ARRAYS)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Forest":
        """Return the forest of plain values.

        Raises:
            ModelError: A node leads outside the forest or back to itself.
        """
        kinds = {"thresholds": np.float64, "values": np.float64, "missing_left": np.bool_}
        try:
            arrays: dict[str, Any] = {
                name: np.array(content[name], kinds.get(name, np.int64)) for name in ("roots", *_ARRAYS)
            }
            forest = cls(**arrays)
            nodes = len(forest.features)
            inner = forest.features >= 0
            ahead = np.concatenate([forest.lefts[inner], forest.rights[inner]])
            is_whole = all(len(getattr(forest, name)) == nodes for name in _ARRAYS)
            is_whole &= bool((forest.roots < nodes).all() and (forest.roots >= 0).all() and (ahead < nodes).all())
            is_whole &= bool((ahead > np.concatenate([np.flatnonzero(inner)] * 2)).all())
        except (KeyError, TypeError, ValueError, IndexError):
            is_whole = False
        if not is_whole:
            raise ModelError("the ranker's trees are damaged", "train the ranker again with: stockroom build")
        return forest

    @cached_property
    def _compared(self) -> NDArray[np.int64]:
        """The feature of each node; 0 at leaves, which lead back to themselves."""
        return np.maximum(self.features, 0)

    @cached_property
    def _depth(self) -> int:
        """The number of steps after which every row is at a leaf."""
        depth, level = 0, self.roots
        while len(level := level[self.features[level] >= 0]):
            level = np.concatenate([self.lefts[level], self.rights[level]])
            depth += 1
        return depth
