"""The files of a checkpoint, read without torch: `towers.safetensors`, `model.json`, and further frozen files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import ModelError, first_line

FORMAT = 3
WEIGHTS_FILE = "towers.safetensors"
MANIFEST_FILE = "model.json"


def _hint(directory: Path) -> str:
    return f"remove the folder {directory}, then create it again with: stockroom build; or copy the whole folder back"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the content of `model.json`.

    Raises:
        ModelError: The file is missing, is not JSON, or has another format.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(_read(path))
        version = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a model's description ({first_line(error)})", _hint(directory)) from error
    if version != FORMAT:
        raise ModelError(
            f"{path} has format {version}, and this version of Stockroom reads format {FORMAT}",
            f"{_hint(directory)}; or use the version of Stockroom that saved the model",
        )
    missing = {"dim", "alpha", "towers", "features", "weights_sha256"} - manifest.keys()
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing))}", _hint(directory))
    return dict(manifest)


def read_tensors(directory: Path, manifest: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights by name, after checking the file against the hash in the manifest.

    Raises:
        ModelError: The file is missing or differs from the saved one.
    """
    from safetensors.numpy import load

    path = directory / WEIGHTS_FILE
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != manifest["weights_sha256"]:
        raise ModelError(
            f"{path} is not the file that was saved: its SHA-256 differs from {MANIFEST_FILE}'s", _hint(directory)
        )
    tensors: dict[str, npt.NDArray[np.float32]] = load(content)
    return tensors


def read_file(directory: Path, manifest: dict[str, Any], name: str) -> bytes:
    """Return the content of a file that was frozen with the model.

    Raises:
        ModelError: The model has no such file, or it is missing or differs from the saved one.
    """
    expected_sha256 = manifest.get("files_sha256", {}).get(name)
    if expected_sha256 is None:
        raise ModelError(f"the model in {directory} was saved without {name}", _hint(directory))
    content = _read(directory / name)
    if hashlib.sha256(content).hexdigest() != expected_sha256:
        raise ModelError(
            f"{directory / name} is not the file that was saved: its SHA-256 differs from {MANIFEST_FILE}'s",
            _hint(directory),
        )
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read ({error.strerror})", _hint(path.parent)) from error
