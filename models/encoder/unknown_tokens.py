"""Unknown tokens: how much of a text an encoder's vocabulary lacks, and when a vector says nothing of its text."""

from collections.abc import Sequence
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
    unknown = {tokenizer.token_to_id(token) for token in _UNKNOWN} - {None}
    encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    counts = ((sum(each in unknown for each in encoding.ids), len(encoding.ids)) for encoding in encodings)
    return np.array([count / max(total, 1) for count, total in counts], np.float64)
