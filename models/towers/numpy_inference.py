"""Apply trained towers with NumPy alone: to queries at search time, to products when vectors are written.

The bits of a row's result depend on that row only: see `models.towers.exact_linear`.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from models.errors import ModelError
from models.towers.checkpoint_files import read_manifest, read_tensors
from models.towers.exact_linear import ExactLinear, Floats, spectral_norm
from models.towers.feature_encoder import FeatureEncoder

Side = Literal["query", "product"]

CHUNK_ROWS = 8192
"""Rows computed at once; the number bounds memory and changes no bit of the result."""

NORM_EPSILON = 1e-5
"""The epsilon of torch's LayerNorm, added to the variance."""


@dataclasses.dataclass(frozen=True)
class FeaturePart:
    """Map one side's encoded features to the hidden width: embedding tables, dense layer, layer norm and gates."""

    tables: list[Floats]
    dense: ExactLinear
    scale: Floats
    shift: Floats

    def __call__(self, numeric: Floats, categorical: npt.NDArray[np.int64]) -> Floats:
        """Map numeric (rows, numbers) and categorical (rows, columns) to (rows, width)."""
        embedded = [table[categorical[:, column]] for column, table in enumerate(self.tables)]
        hidden = self.dense(np.concatenate([numeric, *embedded], axis=1))
        hidden = hidden - hidden.mean(axis=1, keepdims=True)
        hidden = hidden / np.sqrt(np.square(hidden).mean(axis=1, keepdims=True) + NORM_EPSILON)
        normed: Floats = hidden * self.scale + self.shift
        return normed

    @property
    def bound(self) -> float:
        """Return an upper bound of a row's length: a normed row has length sqrt(width) at most."""
        return math.sqrt(len(self.scale)) * float(np.abs(self.scale).max()) + float(np.linalg.norm(self.shift))


def learns(manifest: dict[str, Any], side: str) -> bool:
    """Tell whether a side changes the encoder's vectors: with alpha 0, or untrained, it only normalizes them."""
    return manifest["alpha"] != 0 and not (side == "product" and manifest["towers"]["mode"] == "query_only")


class ServingTower:
    """Apply one side of a checkpoint, in NumPy."""

    side: Side = "query"

    def __init__(self, manifest: dict[str, Any], tensors: dict[str, npt.NDArray[np.float32]]) -> None:
        self.dim: int = manifest["dim"]
        self.alpha: float = manifest["alpha"]
        self.constant: Floats | None = None
        self.features = FeatureEncoder.from_dict(manifest["features"][self.side])
        settings = manifest["towers"]
        weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self.layer_names: tuple[str, ...] = ()
        self._learned = learns(manifest, self.side)
        if self._learned:
            self._build(weights, f"trunks.{'shared' if settings['mode'] == 'tied' else self.side}", settings["layers"])

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read this side of the checkpoint in a folder.

        Raises:
            ModelError: A file is missing, damaged or of another format.
        """
        manifest = read_manifest(directory)
        return cls(manifest, read_tensors(directory, manifest))

    def __call__(self, x: npt.NDArray[np.float32], features: pl.DataFrame | None = None) -> npt.NDArray[np.float32]:
        """Map encoder vectors x (rows, dim) and their feature rows to vectors (rows, dim) of length 1.

        Raises:
            ModelError: Width or rows do not match, or features of the tower's training are missing.
        """
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ModelError(
                f"the {self.side} tower reads vectors of width {self.dim}, and got shape {x.shape}",
                "encode with the encoder that the model was trained on",
            )
        needs_features = self._learned and self.features.spec.columns and self.constant is None
        if needs_features and (features is None or features.height != len(x)):
            raise ModelError(
                f"the {self.side} tower needs one row of features for each vector: {self.features.spec.columns}",
                "give the tower the rows of the feature table, in the order of the vectors",
            )
        out = np.empty(x.shape, dtype=np.float32)
        for start in range(0, len(x), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            out[rows] = self._embed(x[rows], None if features is None else features[rows])
        return out

    def without_features(self, typical: pl.DataFrame) -> Self:
        """Return a copy of this tower for texts alone: the mean part over typical rows replaces the features.

        An export uses it for texts whose features nobody computes. Its calls take no features.
        """
        tower = copy.copy(self)
        tower.constant = self.mean_part(typical)
        return tower

    def mean_part(self, features: pl.DataFrame) -> Floats | None:
        """Return the mean feature part of the hidden units over the rows (width,); None for a tower without features."""
        if not self._learned or self._feature_part is None:
            return None
        total = np.zeros(len(self._feature_part.scale))
        for start in range(0, features.height, CHUNK_ROWS):
            total += self._apply(self._feature_part, features[start : start + CHUNK_ROWS]).sum(axis=0)
        return total / max(features.height, 1)

    def _apply(self, feature_part: FeaturePart, features: pl.DataFrame) -> Floats:
        numeric, categorical = self.features.transform(features)
        return feature_part(numeric.astype(np.float64), categorical)

    def _build(self, weights: dict[str, Floats], trunk: str, layers: int) -> None:
        self.layer_names = (*(f"{trunk}.dense.{layer}" for layer in range(layers)), f"{trunk}.last")
        self._feature_part = self._read_feature_part(weights)
        # The towers scale a vector of length 1 by this factor.
        bound = math.sqrt(self.dim)
        self._hidden: list[ExactLinear] = []
        for layer, name in enumerate(self.layer_names[:-1]):
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            self._hidden.append(ExactLinear(weight, bias, bound))
            # A row grows at most by the largest singular value, and SiLU increases no magnitude.
            bound = bound * spectral_norm(weight) + float(np.linalg.norm(bias)) or 1.0
            if layer == 0 and self._feature_part is not None:
                bound += self._feature_part.bound
        self._last = ExactLinear(
            weights[f"{self.layer_names[-1]}.weight"], weights[f"{self.layer_names[-1]}.bias"], bound
        )

    def _read_feature_part(self, weights: dict[str, Floats]) -> FeaturePart | None:
        branch = f"branches.{self.side}"
        if f"{branch}.gate" not in weights:
            return None
        embedding_names = [f"{branch}.embeddings.{column}.weight" for column in range(len(self.features.vocabularies))]
        tables = [weights[name] for name in embedding_names]
        numbers = self.features.numeric_width * max(self.features.numeric_limit, 1.0) ** 2
        embedded = sum(float(np.square(table).sum(axis=1).max()) for table in tables)
        dense = ExactLinear(
            weights[f"{branch}.dense.weight"], weights[f"{branch}.dense.bias"], math.sqrt(numbers + embedded)
        )
        gate = weights[f"{branch}.gate"]
        return FeaturePart(
            tables, dense, gate * weights[f"{branch}.norm.weight"], gate * weights[f"{branch}.norm.bias"]
        )

    def _embed(self, x: npt.NDArray[np.float32], features: pl.DataFrame | None) -> Floats:
        vectors = _normalize(x.astype(np.float64))
        if not self._learned:
            return vectors
        hidden = math.sqrt(self.dim) * vectors
        for position, dense in enumerate(self._hidden):
            hidden = dense(hidden)
            if position == 0 and self.constant is not None:
                hidden = hidden + self.constant
            elif position == 0 and self._feature_part is not None and features is not None:
                hidden = hidden + self._apply(self._feature_part, features)
            hidden = _silu(hidden)
        return _normalize(vectors + self.alpha * self._last(hidden))


class QueryTower(ServingTower):
    """Apply the query side: the only part of a model that a search needs."""

    side = "query"


class ProductTower(ServingTower):
    """Apply the product side: product vectors are bit-equal whether few or all of them are computed."""

    side = "product"


def _normalize(vectors: Floats) -> Floats:
    """Return vectors (rows, dim) of length 1; zeros stay zeros, as with torch's `normalize`."""
    normalized: Floats = vectors / np.maximum(np.sqrt(np.square(vectors).sum(axis=1, keepdims=True)), 1e-12)
    return normalized


def _silu(x: Floats) -> Floats:
    """Return x * sigmoid(x) of each number, the activation of the towers. Below -60 it is practically 0."""
    activated: Floats = x / (1 + np.exp(-np.maximum(x, -60.0)))
    return activated
