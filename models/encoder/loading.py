"""The frozen text encoder: its interface, and loading it for either back end."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoder.fingerprint import encoder_fingerprint, resolve_backend
from models.encoder.token_batches import Vectors
from models.errors import ModelError
from models.settings import EncoderSettings

__all__ = ["Encoder", "can_open", "encoder_fingerprint", "load_encoder", "open_encoder"]


class Encoder(Protocol):
    """Turn texts into vectors; a text's vector depends only on the text and the fingerprint."""

    fingerprint: str
    """16 hex digits: a hash of weights, pooling, longest text, backend, precision and text template."""

    dim: int
    """Width of a vector."""

    def describe(self) -> dict[str, Any]:
        """Describe the encoder in plain values, for a log or a release."""

    def encode(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> Vectors:
        """Encode texts, each distinct one once.

        Args:
            texts: Any strings, also empty ones; tokens beyond `max_tokens` are cut off.
            on_progress: Called in the calling thread with the number of texts encoded so far.

        Returns:
            Vectors of unit length, (texts, dim), float32, bit-equal for any other texts and any order.
        """

    def unknown_shares(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of each text's tokens that the encoder does not know, 0 to 1: (texts,)."""


def load_encoder(settings: EncoderSettings, cache_dir: Path) -> Encoder:
    """Load the encoder that the settings choose, offline.

    Args:
        settings: The model and its back end.
        cache_dir: The folder of the converted models, each in a folder named by fingerprint. The first load converts
            (seconds, needs torch); later loads take a fraction of a second and do not import torch.

    Raises:
        ModelError: The model is not on this machine, or this machine cannot meet the settings.
    """
    if resolve_backend(settings) == "torch":
        from models.encoder.torch_backend import TorchEncoder

        return TorchEncoder(settings)
    from models.encoder.openvino_backend import OpenVinoEncoder, export

    folder = export(settings, cache_dir)
    return OpenVinoEncoder(folder, batch_texts=settings.batch_texts, threads=settings.threads)


def can_open(settings: EncoderSettings, cache_dir: Path, fingerprint: str) -> bool:
    """Tell whether the encoder of a fingerprint can be loaded: the settings choose it, or `cache_dir` has it converted."""
    # In this order: computing a fingerprint hashes all weights.
    return (cache_dir / fingerprint).is_dir() or fingerprint == encoder_fingerprint(settings)


def open_encoder(settings: EncoderSettings, cache_dir: Path, fingerprint: str) -> Encoder:
    """Load the encoder of a fingerprint, also one of earlier settings.

    Raises:
        ModelError: The encoder cannot be found, or this machine cannot meet the settings.
    """
    if fingerprint == encoder_fingerprint(settings):
        return load_encoder(settings, cache_dir)
    if not can_open(settings, cache_dir, fingerprint):
        raise ModelError(
            f"the encoder {fingerprint} is not in {cache_dir}",
            "set encoder.model to the previous encoder, or train with the current encoder: stockroom build",
        )
    from models.encoder.openvino_backend import OpenVinoEncoder

    return OpenVinoEncoder(cache_dir / fingerprint, batch_texts=settings.batch_texts, threads=settings.threads)
