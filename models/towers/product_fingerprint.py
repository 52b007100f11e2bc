"""The product side of a model: its fingerprint, equal for models with the same product vectors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from models.towers.checkpoint_files import read_manifest, read_tensors
from models.towers.numpy_inference import learns


@dataclass(frozen=True)
class ProductSide:
    """Hold the fingerprint of all that decides a product's vector besides its text, and the features that it reads."""

    fingerprint: str
    columns: tuple[str, ...]


def product_side(directory: Path) -> ProductSide:
    """Return the product side of the checkpoint in a folder.

    Models of one encoder that leave product vectors unchanged, by mode `query_only` or alpha 0, share a fingerprint.

    Raises:
        ModelError: A file is missing, damaged or of another format.
    """
    manifest = read_manifest(directory)
    identity = [str(manifest["metadata"]["encoder"]), str(manifest["dim"])]
    if not learns(manifest, "product"):
        return ProductSide(_digest(*(part.encode() for part in identity)), ())
    towers, features = manifest["towers"], manifest["features"]["product"]
    identity += [str(towers["layers"]), repr(manifest["alpha"]), json.dumps(features)]
    prefixes = ("branches.product.", f"trunks.{'shared' if towers['mode'] == 'tied' else 'product'}.")
    weights = [
        part
        for name, tensor in sorted(read_tensors(directory, manifest).items())
        if name.startswith(prefixes)
        for part in (name.encode(), tensor.tobytes())
    ]
    columns = (*features["numeric"], *features["categorical"])
    return ProductSide(_digest(*(part.encode() for part in identity), *weights), columns)


def _digest(*parts: bytes) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()[:16]
