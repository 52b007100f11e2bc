"""The files of a ranker: `ranker.json`, which runs no code, and further frozen files, named by their SHA-256."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from models.errors import ModelError, first_line
from models.ranking.choice import Choice
from models.ranking.forest import Forest
from models.ranking.ordering import METHODS, Ordering
from models.ranking.translation import Translations

RANKER_FILE = "ranker.json"
WORDS_FILE = "words.parquet"
"""Name of the file next to a ranker with the word weights of its training."""
TRANSLATIONS_FILE = "translations.parquet"
"""Name of the file next to a ranker with the title words from which query words come."""
SPELLINGS_FILE = "spellings.parquet"
"""Name of the file next to a ranker with the words by which a query is corrected."""

_FORMAT = 2
_NEEDED = {
    "method",
    "weight",
    "weights",
    "forest",
    "features",
    "candidates",
    "corrects_spelling",
    "importances",
    "files_sha256",
}
_HINT = "train the ranker again with: stockroom build; or copy the whole folder back"


def save(
    directory: Path,
    choice: Choice,
    names: tuple[str, ...],
    candidates: int,
    metadata: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> None:
    """Write a ranker as a whole, or not at all.

    Args:
        directory: The folder, which the write creates.
        choice: The ordering and the trials that led to it.
        names: The names of the pair features, in the order in which the forest reads them.
        candidates: The number of products that each leg of a search finds.
        metadata: Further plain values.
        files: Further files by name.
    """
    ordering = choice.ordering
    content = {
        "format": _FORMAT,
        "method": ordering.method,
        "weight": ordering.weight,
        "weights": dict(ordering.weights),
        "forest": ordering.forest.to_json() if ordering.forest is not None else None,
        "features": list(names),
        "candidates": candidates,
        "reason": choice.reason,
        "queries": choice.queries,
        "trials": [asdict(trial) for trial in choice.trials],
        "files_sha256": {name: hashlib.sha256(each).hexdigest() for name, each in files.items()},
        **metadata,
    }
    content["sha256"] = _sha256(content)
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".", dir=directory.parent))
    whole = scratch / "whole"
    whole.mkdir()
    try:
        for name, each in {RANKER_FILE: json.dumps(content, indent=1).encode(), **files}.items():
            with (whole / name).open("wb") as file:
                file.write(each)
                file.flush()
                os.fsync(file.fileno())
        if directory.exists():
            directory.rename(scratch / "old")
        whole.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True)
class StoredRanker:
    """Hold a ranker as a search uses it.

    Attributes:
        ordering: how it orders candidates.
        words: the word weights of its training: locale, word, weight.
        spellings: the whole words of its training: locale, word, products.
        translations: what train pairs tell of query words and title words.
        per_leg: the number of products that each leg finds.
        corrects_spelling: whether words that the catalog does not know are corrected.
        attributes: the features of the product that the forest reads after those of the pair, named `view.column`.
    """

    ordering: Ordering
    words: pl.DataFrame
    spellings: pl.DataFrame
    translations: Translations
    per_leg: int
    corrects_spelling: bool
    attributes: tuple[str, ...] = ()

    @classmethod
    def load(cls, directory: Path) -> "StoredRanker":
        """Read a ranker.

        Raises:
            ModelError: A file is missing or damaged.
        """
        content = read_ranker(directory)
        return cls(
            ordering_of(content),
            pl.read_parquet(read_frozen(directory, content, WORDS_FILE)),
            pl.read_parquet(read_frozen(directory, content, SPELLINGS_FILE)),
            Translations(pl.read_parquet(read_frozen(directory, content, TRANSLATIONS_FILE))),
            int(content["candidates"]),
            bool(content["corrects_spelling"]),
            tuple(name for name in content["features"] if "." in name),
        )


def read_ranker(directory: Path) -> dict[str, Any]:
    """Return the content of `ranker.json`.

    Raises:
        ModelError: The file is missing, damaged, or of another format.
    """
    path = directory / RANKER_FILE
    try:
        content = json.loads(path.read_bytes())
        is_whole = (content["format"], content["sha256"]) == (_FORMAT, _sha256(content)) and content.keys() >= _NEEDED
    except OSError as error:
        raise ModelError(f"the ranker's file {path} cannot be read ({error.strerror})", _HINT) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a ranker ({first_line(error)})", _HINT) from error
    if not is_whole or content["method"] not in METHODS:
        raise ModelError(f"{path} is damaged, or another version of Stockroom wrote it", _HINT)
    return dict(content)


def ordering_of(content: Mapping[str, Any]) -> Ordering:
    """Return the ordering of a ranker's content."""
    forest = Forest.from_json(content["forest"]) if content["forest"] is not None else None
    return Ordering(content["method"], content["weight"], content["weights"], forest)


def read_frozen(directory: Path, content: Mapping[str, Any], name: str) -> bytes:
    """Return a file that was frozen with the ranker.

    Raises:
        ModelError: The file is missing, or differs from the saved one.
    """
    path = directory / name
    try:
        each = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the ranker's file {path} cannot be read ({error.strerror})", _HINT) from error
    if hashlib.sha256(each).hexdigest() != content["files_sha256"].get(name):
        raise ModelError(f"{path} is not the file that was saved: its SHA-256 differs from {RANKER_FILE}'s", _HINT)
    return each


def _sha256(content: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
