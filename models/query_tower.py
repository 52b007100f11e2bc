"""Apply trained towers with NumPy alone: to queries at search time, to products when vectors are written.

Every row's bits depend on that row only. A BLAS sums the same row in another order when it stands elsewhere in a batch
or when other threads share the work, so weights and inputs are rounded to fixed-point numbers first, small enough that
float64 holds every product and every partial sum exactly: then no order of summation can matter.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from models.checkpoint_files import read_manifest, read_tensors
from models.errors import ModelError
from models.feature_encoder import FeatureEncoder

Floats = npt.NDArray[np.float64]

CHUNK_ROWS = 8192
"""Rows computed at once, in rows; it bounds memory and changes no bit of the result."""

NORM_EPSILON = 1e-5
"""What torch's LayerNorm adds to the variance."""


class ExactLinear:
    """Compute `x @ weight.T + bias` with sums that are exact in any order.

    For inputs of a length up to `bound`, an output and each of its partial sums stay below `bound * largest row
    length` (Cauchy-Schwarz); the fixed-point steps are the finest for which that is an integer below 2^52.
    """

    def __init__(self, weight: Floats, bias: Floats, bound: float) -> None:
        length = float(np.linalg.norm(weight, axis=1).max(initial=0.0)) or 1.0
        # Half of the bits to each side; one bit of 53 is left for what rounding adds to the lengths.
        self.input_bits = 26 - math.ceil(math.log2(bound))
        weight_bits = 26 - math.ceil(math.log2(length))
        self.weight = np.rint(np.ldexp(weight, weight_bits)).T.copy()  # (inputs, outputs)
        self.step = math.ldexp(1.0, -self.input_bits - weight_bits)
        self.bias = bias

    def __call__(self, x: Floats) -> Floats:
        """Map x (rows, inputs) to (rows, outputs)."""
        product: Floats = np.rint(np.ldexp(x, self.input_bits)) @ self.weight
        return product * self.step + self.bias


@dataclasses.dataclass(frozen=True)
class HiddenLayer:
    """Hold a dense layer and the layer norm behind it."""

    dense: ExactLinear
    scale: Floats
    shift: Floats

    def __call__(self, x: Floats, features: Floats | float) -> Floats:
        """Map x (rows, inputs) and features (rows, width) to activations (rows, width)."""
        hidden = self.dense(x) + features
        hidden = hidden - hidden.mean(axis=1, keepdims=True)
        hidden = hidden / np.sqrt(np.square(hidden).mean(axis=1, keepdims=True) + NORM_EPSILON)
        hidden = hidden * self.scale + self.shift
        # GELU in its tanh form (Hendrycks and Gimpel, 2016, arXiv 1606.08415), as the towers are trained.
        inner = math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden * hidden * hidden)
        activated: Floats = 0.5 * hidden * (1 + np.tanh(inner))
        return activated


def learns(manifest: dict[str, Any], side: str) -> bool:
    """Tell whether a side changes the encoder's vectors: with alpha 0, or untrained, it only brings them to length 1."""
    return manifest["alpha"] != 0 and not (side == "product" and manifest["towers"]["mode"] == "query_only")


class ServingTower:
    """Apply one side of a checkpoint, in NumPy."""

    side = "query"

    def __init__(self, manifest: dict[str, Any], tensors: dict[str, npt.NDArray[np.float32]]) -> None:
        self.dim: int = manifest["dim"]
        self.alpha: float = manifest["alpha"]
        self.features = FeatureEncoder.from_dict(manifest["features"][self.side])
        settings = manifest["towers"]
        weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self._learnt = learns(manifest, self.side)
        if self._learnt:
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
            ModelError: Width or rows do not fit, or features are missing that the tower was trained with.
        """
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ModelError(
                f"the {self.side} tower reads vectors of width {self.dim}, and got shape {x.shape}",
                "Encode with the encoder that the model was trained on.",
            )
        if self._learnt and self.features.spec.columns and (features is None or features.height != len(x)):
            raise ModelError(
                f"the {self.side} tower needs one row of features for each vector: {self.features.spec.columns}",
                "Give it the feature table's rows in the order of the vectors.",
            )
        out = np.empty(x.shape, dtype=np.float32)
        for start in range(0, len(x), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            out[rows] = self._embed(x[rows], None if features is None else features[rows])
        return out

    def _build(self, weights: dict[str, Floats], trunk: str, layers: int) -> None:
        branch = f"branches.{self.side}"
        self._tables = [
            weights[f"{branch}.embeddings.{column}.weight"] for column in range(len(self.features.vocabularies))
        ]
        self._gate: Floats | None = weights.get(f"{branch}.gate")
        if self._gate is not None:
            numbers = self.features.numeric_width * max(self.features.numeric_limit, 1.0) ** 2
            embedded = sum(float(np.square(table).sum(axis=1).max()) for table in self._tables)
            self._dense = ExactLinear(
                weights[f"{branch}.dense.weight"], weights[f"{branch}.dense.bias"], math.sqrt(numbers + embedded)
            )
        self._hidden: list[HiddenLayer] = []
        bound = 1.0
        for layer in range(layers):
            scale, shift = weights[f"{trunk}.norms.{layer}.weight"], weights[f"{trunk}.norms.{layer}.bias"]
            dense = ExactLinear(weights[f"{trunk}.dense.{layer}.weight"], weights[f"{trunk}.dense.{layer}.bias"], bound)
            self._hidden.append(HiddenLayer(dense, scale, shift))
            # A normed row has length sqrt(width) at most, and GELU makes no number longer.
            bound = math.sqrt(len(scale)) * float(np.abs(scale).max()) + float(np.linalg.norm(shift))
        self._last = ExactLinear(weights[f"{trunk}.last.weight"], weights[f"{trunk}.last.bias"], bound)

    def _embed(self, x: npt.NDArray[np.float32], features: pl.DataFrame | None) -> Floats:
        vectors = _normalise(x.astype(np.float64))
        if not self._learnt:
            return vectors
        hidden = vectors
        for position, layer in enumerate(self._hidden):
            hidden = layer(hidden, self._feature_part(features) if position == 0 else 0.0)
        return _normalise(vectors + self.alpha * self._last(hidden))

    def _feature_part(self, features: pl.DataFrame | None) -> Floats | float:
        if self._gate is None or features is None:
            return 0.0
        numeric, categorical = self.features.transform(features)
        embedded = [table[categorical[:, column]] for column, table in enumerate(self._tables)]
        gated: Floats = self._gate * self._dense(np.concatenate([numeric, *embedded], axis=1))
        return gated


class QueryTower(ServingTower):
    """Apply the query side: the one part of a model that a search needs."""

    side = "query"


class ProductTower(ServingTower):
    """Apply the product side: what writes product vectors, a few changed ones or all of them, to the same bits."""

    side = "product"


def _normalise(vectors: Floats) -> Floats:
    """Return vectors (rows, dim) of length 1; zeros stay zeros, as with torch's `normalize`."""
    normalised: Floats = vectors / np.maximum(np.sqrt(np.square(vectors).sum(axis=1, keepdims=True)), 1e-12)
    return normalised
