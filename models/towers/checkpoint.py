"""Save and load trained towers: safetensors and JSON, never pickle, so that loading cannot run code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.errors import ModelError
from models.settings import TowerSettings
from models.towers.checkpoint_files import FORMAT, MANIFEST_FILE, WEIGHTS_FILE, read_manifest, read_tensors
from models.towers.feature_encoder import FeatureEncoder
from models.towers.network import TwoTower
from models.towers.trained_model import TrainedModel, feature_sizes


def save(
    directory: Path, model: TrainedModel, metadata: dict[str, Any], files: Mapping[str, bytes] | None = None
) -> None:
    """Write a model into a folder: whole or not at all, and the same model to the same bytes.

    `metadata` holds JSON values on the origin of the model: encoder fingerprint, snapshot, seed, metrics. `files` are
    further files to freeze with it, by name. An existing folder is replaced.
    """
    from safetensors.torch import save as to_bytes

    weights = to_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in model.towers.state_dict().items()})
    manifest = {
        "format": FORMAT,
        "dim": model.towers.dim,
        "alpha": model.towers.alpha,
        "best_epoch": model.best_epoch,
        "notes": list(model.notes),
        "towers": model.towers.settings.model_dump(mode="json"),
        "features": {"query": model.query_encoder.to_dict(), "product": model.product_encoder.to_dict()},
        "metadata": metadata,
        "files_sha256": {name: hashlib.sha256(content).hexdigest() for name, content in (files or {}).items()},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    directory.parent.mkdir(parents=True, exist_ok=True)
    # In the same parent folder, so that the rename stays on one file system and is atomic.
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        whole = scratch / "new"
        whole.mkdir()
        _write(whole / WEIGHTS_FILE, weights)
        for name, content in (files or {}).items():
            _write(whole / name, content)
        _write(whole / MANIFEST_FILE, text.encode())
        if directory.exists():
            directory.rename(scratch / "old")
        whole.rename(directory)
    finally:
        shutil.rmtree(scratch)


def load(directory: Path) -> tuple[TrainedModel, dict[str, Any]]:
    """Return the model in a folder, on the CPU and ready to embed, and its metadata; its history is not restored.

    Raises:
        ModelError: A file is missing, damaged or of another format.
    """
    manifest = read_manifest(directory)
    encoders = {side: FeatureEncoder.from_dict(manifest["features"][side]) for side in ("query", "product")}
    towers = TwoTower(
        manifest["dim"],
        feature_sizes(encoders["query"]),
        feature_sizes(encoders["product"]),
        TowerSettings.model_validate(manifest["towers"]),
    )
    tensors = read_tensors(directory, manifest)
    try:
        towers.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise ModelError(
            f"the weights in {directory / WEIGHTS_FILE} do not fit {MANIFEST_FILE}",
            f"remove the folder {directory}, then create it again with: stockroom build",
        ) from error
    towers.alpha = manifest["alpha"]
    model = TrainedModel(
        towers=towers.eval(),
        query_encoder=encoders["query"],
        product_encoder=encoders["product"],
        best_epoch=manifest["best_epoch"],
        notes=tuple(manifest["notes"]),
    )
    return model, manifest["metadata"]


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
