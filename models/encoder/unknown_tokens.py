"""Unknown tokens: how much of a text an encoder's vocabulary lacks, and when a vector says nothing of its text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNKNOWN = ("[UNK]", "<unk>")  # of WordPiece, and of the SentencePiece models; byte-level vocabularies lack nothing
UNREADABLE_SHARE = 0.5
"""The share of unknown tokens above which the vector of a text says nothing: all unknown tokens are one and the same."""


def unknown_shares(tokenizer: "Tokenizer", texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of unknown tokens in each text, 0 for a text without tokens: (texts,)."""
    counts, totals = _counts(tokenizer, texts)
    return counts / np.maximum(totals, 1)


def saved_tokenizer(folder: Path) -> "Tokenizer | None":
    """Return the tokenizer in the folder of a converted encoder; None where it has none."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    return Tokenizer.from_file(str(file)) if file.is_file() else None


def unknown_share(tokenizer: "Tokenizer", texts: Sequence[str]) -> float | None:
    """Return the share of unknown tokens in all texts together; None where they have no token."""
    counts, totals = _counts(tokenizer, texts)
    return float(counts.sum() / totals.sum()) if totals.any() else None


def _counts(tokenizer: "Tokenizer", texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the number of unknown tokens and of all tokens in each text."""
    unknown = {tokenizer.token_to_id(token) for token in _UNKNOWN} - {None}
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    counts = [sum(each in unknown for each in encoding.ids) for encoding in encodings]
    return np.array(counts, np.float64), np.array([len(encoding.ids) for encoding in encodings], np.float64)
