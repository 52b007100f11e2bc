"""The frozen text encoder on OpenVINO: two to four times as fast as torch on CPUs, and without importing it."""

import json
import shutil
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder.fingerprint import cpu_has_bf16, encoder_identity, fingerprint_of, resolve_precision
from models.encoder.int8_quantization import GROUP_SIZE, quantize_weights
from models.encoder.token_batches import TokenBatch, Vectors, encode_texts
from models.encoder.unknown_tokens import unknown_shares
from models.errors import ModelError, first_line
from models.settings import EncoderSettings


def import_openvino() -> Any:
    """Import OpenVINO without its usage statistics, which would be sent at import and write to the user's home.

    OpenVINO works without the statistics package, so this process marks the package as absent.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None is Python's mark for absent
    import openvino

    return openvino


def export(settings: EncoderSettings, directory: Path) -> Path:
    """Convert the encoder to OpenVINO's format, once per fingerprint.

    The folder is self-contained and can be moved: `encoder.xml` and `encoder.bin` (weights in f32, for int8 the matrices in
    int8; with pooling and normalization), `tokenizer.json`, and `encoder.json` (the fingerprint and its inputs). It appears
    whole or not at all.

    Args:
        settings: The model and its precision.
        directory: The folder's parent; the folder is named by the fingerprint.

    Returns:
        The folder, new or existing.

    Raises:
        ModelError: The model is not on this machine, or OpenVINO cannot convert it.
    """
    identity = encoder_identity(settings)
    fingerprint = fingerprint_of(identity)
    target = directory / fingerprint
    if target.is_dir():
        return target
    directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{fingerprint}-", dir=directory))
    try:
        config = {"fingerprint": fingerprint, "model": settings.model, **_convert(settings, scratch), **identity}
        (scratch / "encoder.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        scratch.rename(target)
    except OSError:
        # Another process may have been faster: renaming onto a non-empty folder fails.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _convert(settings: EncoderSettings, folder: Path) -> dict[str, Any]:
    from models.encoder.torch_backend import load_sentence_transformer, quiet_transformers, truncating_tokenizer

    # Eager attention traces to plain operations; the fused one does not convert with free batch and length.
    model = load_sentence_transformer(settings, "cpu", attention="eager")
    import torch

    class Embedding(torch.nn.Module):
        """Map ids and mask to the vector; tracing needs tensors as inputs and outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if "token_type_ids" in model.tokenizer.model_input_names:
                features["token_type_ids"] = torch.zeros_like(input_ids)
            vector: torch.Tensor = self.model(features)["sentence_embedding"]
            return torch.nn.functional.normalize(vector)  # (batch, dim)

    openvino = import_openvino()
    free = openvino.PartialShape([-1, -1])  # (batch, tokens)
    mask = torch.tensor([[1] * 16, [1] * 11 + [0] * 5])
    with warnings.catch_warnings(), quiet_transformers(), torch.inference_mode():
        # OpenVINO traces with torch.jit, which torch 2.14 deprecates but still has.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=FutureWarning)
        # Tracing reads every attribute of the model, also this deprecated one of transformers.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        # Branches on shapes become constants. They hold for every text; a test compares with sentence-transformers.
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python boolean")
        try:
            openvino_model = openvino.convert_model(
                Embedding(),
                example_input={"input_ids": torch.ones_like(mask), "attention_mask": mask},
                input=[("input_ids", free, openvino.Type.i64), ("attention_mask", free, openvino.Type.i64)],
            )
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot convert the encoder {settings.model}: {first_line(error)}",
                "set STOCKROOM_ENCODER__BACKEND=torch",
            ) from error
    if resolve_precision(settings) == "int8":
        quantize_weights(openvino_model)
    openvino.save_model(openvino_model, folder / "encoder.xml", compress_to_fp16=False)
    truncating_tokenizer(model, settings.max_tokens).save(str(folder / "tokenizer.json"))
    return {"dim": int(model.get_embedding_dimension()), "pad_id": int(model.tokenizer.pad_token_id)}


class OpenVinoEncoder:
    """Encode texts with OpenVINO from an exported folder; imports neither torch nor sentence-transformers."""

    def __init__(self, directory: Path, *, batch_texts: int = 32, threads: int = 0) -> None:
        """Read and compile the model, in a fraction of a second.

        An encoder exported for bf16 runs in f32 on a CPU without bf16. Its vectors then differ by about 1e-3 from those of
        its fingerprint, which is close enough for search; `load_encoder` never fills a cache that way.

        Args:
            directory: A folder made by `export`, or a copy of it.
            batch_texts: Most texts in a batch; changes speed, not vectors. With 1 all threads share the work on one text, as
                a search needs; with more each thread takes its own batches.
            threads: CPU threads, 0 for all; changes speed, not vectors.

        Raises:
            ModelError: The folder is not a complete export.
        """
        from tokenizers import Tokenizer

        missing = [
            name
            for name in ("encoder.json", "encoder.xml", "encoder.bin", "tokenizer.json")
            if not (directory / name).is_file()
        ]
        if missing:
            raise ModelError(
                f"{directory} is not an exported encoder: {', '.join(missing)} is missing",
                "remove the folder, then create it again with: stockroom build",
            )
        self._config = json.loads((directory / "encoder.json").read_text(encoding="utf-8"))
        self.fingerprint: str = self._config["fingerprint"]
        self.dim: int = self._config["dim"]
        self._batch_texts = batch_texts
        precision = self._config["precision"]
        self._running = "f32" if precision == "bf16" and not cpu_has_bf16() else precision
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._running == "bf16" else "f32",
            # OpenVINO quantizes activations for int8 matrices by default on some CPUs only: set it on every CPU.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUP_SIZE if self._running == "int8" else 0),
            # All threads together encode a single text faster than the one thread of a stream.
            "PERFORMANCE_HINT": "LATENCY" if batch_texts == 1 else "THROUGHPUT",
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        self._model = import_openvino().Core().compile_model(directory / "encoder.xml", "CPU", options)
        self._streams = int(self._model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def describe(self) -> dict[str, Any]:
        """Describe the encoder in plain values, for a log or a release."""
        names = ("model", "fingerprint", "backend", "precision", "dim", "max_tokens")
        return {name: self._config[name] for name in names} | {"device": "cpu", "runs_in": self._running}

    def encode(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> Vectors:
        """Encode texts to vectors of unit length, (texts, dim), float32; see `models.encoder.loading.Encoder`.

        The method is thread-safe.
        """
        return encode_texts(
            texts,
            tokenizer=self._tokenizer,
            pad_id=self._config["pad_id"],
            dim=self.dim,
            batch_texts=self._batch_texts,
            forward=self._forward,
            on_progress=on_progress,
        )

    def unknown_shares(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of unknown tokens in each text: (texts,); see `models.encoder.loading.Encoder`."""
        return unknown_shares(self._tokenizer, texts)

    def _forward(self, batches: Iterator[TokenBatch]) -> Iterator[tuple[TokenBatch, Vectors]]:
        """Keep every stream busy: the next batches are prepared while earlier ones are computed."""
        idle: list[Any] = []
        running: deque[tuple[Any, TokenBatch]] = deque()
        try:
            for batch in batches:
                if len(running) == self._streams:
                    request, batch_of_request = running.popleft()
                    request.wait()
                    yield batch_of_request, request.get_output_tensor(0).data.copy()
                    idle.append(request)
                request = idle.pop() if idle else self._model.create_infer_request()
                request.start_async({"input_ids": batch.ids, "attention_mask": batch.mask})
                running.append((request, batch))
            while running:
                request, batch_of_request = running.popleft()
                request.wait()
                yield batch_of_request, request.get_output_tensor(0).data.copy()
        finally:
            for request, _ in running:
                request.wait()
