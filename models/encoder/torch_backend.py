"""The frozen text encoder on PyTorch: the reference, and the back end for GPUs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.encoder.fingerprint import encoder_fingerprint, go_offline, model_folder
from models.encoder.token_batches import TokenBatch, Vectors, encode_texts
from models.encoder.unknown_tokens import unknown_shares
from models.errors import ModelError, first_line
from models.settings import EncoderSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and log messages, and restore its settings afterwards."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_sentence_transformer(settings: EncoderSettings, device: str, attention: str = "sdpa") -> "SentenceTransformer":
    """Load the model offline, without running code of the model's folder, ready to encode.

    Args:
        settings: The model, and the longest text in tokens.
        device: `cpu` or `cuda`.
        attention: transformers' name of the attention implementation.

    Raises:
        ModelError: There is no such model, the model is corrupt, or it reads fewer tokens than `max_tokens`.
    """
    folder = model_folder(settings)
    go_offline()
    from sentence_transformers import SentenceTransformer

    try:
        with quiet_transformers():
            model = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"attn_implementation": attention},
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the encoder in {folder} cannot be loaded: {first_line(error)}",
            "set STOCKROOM_ENCODER__MODEL to a complete sentence-transformers folder",
        ) from error
    positions = getattr(model[0].auto_model.config, "max_position_embeddings", settings.max_tokens)
    if settings.max_tokens > positions:
        raise ModelError(
            f"the encoder {settings.model} reads at most {positions} tokens, and max_tokens is {settings.max_tokens}",
            f"set STOCKROOM_ENCODER__MAX_TOKENS to {positions} or less",
        )
    model.max_seq_length = settings.max_tokens
    return model.eval()


def truncating_tokenizer(model: "SentenceTransformer", max_tokens: int) -> Any:
    """Copy the model's fast tokenizer, set to truncate at `max_tokens` and not to pad.

    Raises:
        ModelError: The model has only a tokenizer written in Python.
    """
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"the encoder's tokenizer {type(model.tokenizer).__name__} has no tokenizer.json",
            "set STOCKROOM_ENCODER__MODEL to a model with a fast tokenizer",
        )
    # A copy: sentence-transformers turns padding on again in its own tokenizer whenever it encodes.
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


class TorchEncoder:
    """Encode texts with PyTorch in f32."""

    def __init__(self, settings: EncoderSettings) -> None:
        """Load the model; takes seconds, most of them importing.

        Raises:
            ModelError: The model cannot be loaded, or the device is cuda and PyTorch sees no GPU.
        """
        import torch

        has_gpu = torch.cuda.is_available()
        if settings.device == "cuda" and not has_gpu:
            raise ModelError(
                "the encoder's device is cuda, and PyTorch sees no GPU",
                "set STOCKROOM_ENCODER__DEVICE=auto",
            )
        self.device = "cuda" if has_gpu and settings.device != "cpu" else "cpu"
        if settings.threads and self.device == "cpu":
            torch.set_num_threads(settings.threads)
        self._settings = settings
        self._model = load_sentence_transformer(settings, self.device)
        self._tokenizer = truncating_tokenizer(self._model, settings.max_tokens)
        self.fingerprint = encoder_fingerprint(settings)
        self.dim = int(self._model.get_embedding_dimension())

    def describe(self) -> dict[str, Any]:
        """Describe the encoder in plain values, for a log or a release."""
        return {
            "model": self._settings.model,
            "fingerprint": self.fingerprint,
            "backend": "torch",
            "device": self.device,
            "precision": "f32",
            "dim": self.dim,
            "max_tokens": self._settings.max_tokens,
        }

    def encode(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> Vectors:
        """Encode texts to vectors of unit length, (texts, dim), float32; see `models.encoder.loading.Encoder`."""
        return encode_texts(
            texts,
            tokenizer=self._tokenizer,
            pad_id=self._model.tokenizer.pad_token_id,
            dim=self.dim,
            # The batch size selects the kernels, and with them a vector's last bits, on GPUs and some CPUs. So a GPU
            # always gets full batches, and a CPU, which gains little from batches, one text at a time.
            batch_texts=self._settings.batch_texts if self.device == "cuda" else 1,
            forward=self._forward,
            on_progress=on_progress,
        )

    def unknown_shares(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of unknown tokens in each text: (texts,); see `models.encoder.loading.Encoder`."""
        return unknown_shares(self._tokenizer, texts)

    def _forward(self, batches: Iterator[TokenBatch]) -> Iterator[tuple[TokenBatch, Vectors]]:
        import torch

        for batch in batches:
            missing = self._settings.batch_texts - len(batch.rows) if self.device == "cuda" else 0
            ids, mask = (np.pad(tokens, ((0, missing), (0, 0)), mode="edge") for tokens in (batch.ids, batch.mask))
            with torch.inference_mode():
                features = {
                    "input_ids": torch.from_numpy(ids).to(self.device),  # (batch, tokens)
                    "attention_mask": torch.from_numpy(mask).to(self.device),  # (batch, tokens)
                }
                output = self._model(features)["sentence_embedding"].float().cpu().numpy()  # (batch, dim)
            yield batch, output[: len(batch.rows)]
