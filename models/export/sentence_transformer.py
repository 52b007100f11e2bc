"""Export a model as a folder that stock sentence-transformers loads: only its own modules, no code of this package."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.encoder.torch_backend import load_sentence_transformer, quiet_transformers
from models.settings import EncoderSettings
from models.towers.checkpoint_files import read_manifest, read_tensors
from models.towers.numpy_inference import ServingTower, Side

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

Matrix = npt.NDArray[np.float32]
Layer = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""A dense layer: weight (outputs, inputs) and bias (outputs,)."""

TOLERANCE = 1e-5
"""Largest difference of a component between the vectors of an export and of the towers, both in f32."""


def save_sentence_transformer(
    directory: Path, checkpoint: Path, encoder: EncoderSettings, query: ServingTower, product: ServingTower
) -> None:
    """Write encoder and towers into a new folder: `encode_query` is the query side, `encode_document` the product side.

    Args:
        directory: The new folder; it must not exist.
        checkpoint: Folder of the model.
        encoder: The encoder that the model was trained on.
        query: The checkpoint's query side for texts alone (`without_features`).
        product: The same for the product side.

    Raises:
        ModelError: A file of the model or of the encoder is missing or damaged.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Router

    base = load_sentence_transformer(encoder, "cpu")
    weights = {
        name: np.asarray(one, np.float64) for name, one in read_tensors(checkpoint, read_manifest(checkpoint)).items()
    }
    router = Router.for_query_document(
        query_modules=[*_modules(weights, query), Normalize()],
        document_modules=[*_modules(weights, product), Normalize()],
    )
    # The encoder occurs once, before the router: only the differing modules are written per side.
    norm = [] if isinstance(base[-1], Normalize) else [Normalize()]
    model = SentenceTransformer(modules=[*base, *norm, router], device="cpu", similarity_fn_name="cosine")
    with quiet_transformers():
        model.save(str(directory), create_model_card=False)


def load_export(directory: Path) -> SentenceTransformer:
    """Load an export with stock sentence-transformers, offline."""
    from sentence_transformers import SentenceTransformer

    with quiet_transformers():
        return SentenceTransformer(str(directory), device="cpu", local_files_only=True)


def encode_side(model: SentenceTransformer, texts: list[str], side: Side) -> Matrix:
    """Return an export's vectors of one side: (texts, dim)."""
    encode = model.encode_query if side == "query" else model.encode_document
    vectors: Any = encode(texts, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def carried_layers(weights: dict[str, npt.NDArray[np.float64]], tower: ServingTower) -> list[Layer]:
    """Return dense layers which, with SiLU after all but the last, give `x + alpha * f(x)` for x of length 1.

    A chain of dense layers has no skip connection, so the hidden units carry x: as SiLU(x) and SiLU(-x), whose difference is
    x, since x * sigmoid(x) + x * sigmoid(-x) = x. The list is empty for a tower that changes nothing.
    """
    names = tower.layer_names
    if not names:
        return []
    first, *others = names[:-1]
    dim, identity = tower.dim, np.eye(tower.dim)
    weight, bias = weights[f"{first}.weight"], weights[f"{first}.bias"]
    hidden = bias if tower.constant is None else bias + tower.constant
    layers = [
        (np.concatenate([identity, -identity, math.sqrt(dim) * weight]), np.concatenate([np.zeros(2 * dim), hidden]))
    ]
    for name in others:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        nothing = np.zeros((dim, weight.shape[1]))
        carried = np.block(
            [
                [identity, -identity, nothing],
                [-identity, identity, nothing],
                [np.zeros((len(weight), 2 * dim)), weight],
            ]
        )
        layers.append((carried, np.concatenate([np.zeros(2 * dim), bias])))
    weight, bias = weights[f"{names[-1]}.weight"], weights[f"{names[-1]}.bias"]
    return [*layers, (np.concatenate([identity, -identity, tower.alpha * weight], axis=1), tower.alpha * bias)]


def _modules(weights: dict[str, npt.NDArray[np.float64]], tower: ServingTower) -> list[Dense]:
    import torch
    from sentence_transformers.base.modules import Dense

    layers = carried_layers(weights, tower)
    return [
        Dense(
            in_features=weight.shape[1],
            out_features=weight.shape[0],
            activation_function=torch.nn.SiLU() if position < len(layers) - 1 else None,
            init_weight=torch.from_numpy(weight.astype(np.float32)),
            init_bias=torch.from_numpy(bias.astype(np.float32)),
        )
        for position, (weight, bias) in enumerate(layers)
    ]
