"""Token batches, padded so that a text's vector never depends on the other texts."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING_TOKENS = 8
TOKENIZED_AT_ONCE = 2048  # the tokenizer's own objects take kilobytes per text, an array of ids some hundred bytes

IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Vectors = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class TokenBatch(NamedTuple):
    """Hold texts of one padded length; `rows` are their row numbers."""

    rows: IntArray  # (batch,)
    ids: IntArray  # (batch, tokens)
    mask: IntArray  # (batch, tokens), 1 where there is a token


Forward = Callable[[Iterator[TokenBatch]], Iterator[tuple[TokenBatch, Vectors]]]


def token_batches(token_ids: Sequence[Sequence[int] | IntArray], pad_id: int, batch_texts: int) -> Iterator[TokenBatch]:
    """Pad each text by its own length alone, to a multiple of 8 tokens, and batch equal lengths only.

    Attention over padding and the order of additions then depend on the text alone. Measured on OpenVINO: vectors are
    bit-equal for any batch, batch size, order and number of threads. The longest texts come first, so that memory peaks at
    the start.

    Args:
        token_ids: The tokens of each text, at least one per text.
        pad_id: The padding token.
        batch_texts: Most texts in a batch.
    """
    counts = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    padded = -(-counts // PADDING_TOKENS) * PADDING_TOKENS
    for length in np.unique(padded)[::-1]:
        same_length = np.flatnonzero(padded == length)
        for start in range(0, len(same_length), batch_texts):
            rows = same_length[start : start + batch_texts]
            mask = (np.arange(length) < counts[rows, None]).astype(np.int64)  # (batch, tokens)
            ids = np.full((len(rows), int(length)), pad_id, dtype=np.int64)  # (batch, tokens)
            ids[mask == 1] = np.concatenate([token_ids[row] for row in rows])
            yield TokenBatch(rows, ids, mask)


def encode_texts(
    texts: Sequence[str],
    *,
    tokenizer: "Tokenizer",
    pad_id: int,
    dim: int,
    batch_texts: int,
    forward: Forward,
    on_progress: Callable[[int], None] | None,
) -> Vectors:
    """Tokenize, run every distinct text once through `forward`, and normalize.

    Args:
        texts: The texts; equal texts are encoded once.
        tokenizer: Truncates to its own length and does not pad.
        pad_id: The padding token.
        dim: Width of a vector.
        batch_texts: Most texts in a batch.
        forward: Maps batches to their vectors, in any order and any number at a time.
        on_progress: Called in this thread after each batch with the number of texts encoded so far.

    Returns:
        Vectors of unit length, (texts, dim), float32, in the order of the texts.
    """
    index = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    inverse = np.array([index[text] for text in texts], dtype=np.int64)
    copies = np.bincount(inverse, minlength=len(index))
    vectors = np.zeros((len(index), dim), dtype=np.float32)
    progress = 0
    for batch, output in forward(_batches(tokenizer, list(index), pad_id, batch_texts)):
        # Double precision: the last bit of the float32 result cannot depend on the order of additions.
        lengths = np.linalg.norm(output.astype(np.float64), axis=1, keepdims=True)  # (batch, 1)
        vectors[batch.rows] = output / np.maximum(lengths, 1e-12)
        progress += int(copies[batch.rows].sum())
        if on_progress is not None:
            on_progress(progress)
    return vectors[inverse]


def _batches(tokenizer: "Tokenizer", texts: list[str], pad_id: int, batch_texts: int) -> Iterator[TokenBatch]:
    """Yield the batches of all texts, portion by portion; a thread tokenizes the next portion during computation."""
    portions = [texts[start : start + TOKENIZED_AT_ONCE] for start in range(0, len(texts), TOKENIZED_AT_ONCE)]
    if len(portions) <= 1:  # the single query of a search needs no thread
        yield from token_batches(_tokenize(tokenizer, texts, pad_id), pad_id, batch_texts)
        return
    with ThreadPoolExecutor(1) as executor:
        pending = [executor.submit(_tokenize, tokenizer, portions[0], pad_id)]
        for position in range(len(portions)):
            token_ids = pending.pop().result()
            if position + 1 < len(portions):
                pending.append(executor.submit(_tokenize, tokenizer, portions[position + 1], pad_id))
            for batch in token_batches(token_ids, pad_id, batch_texts):
                yield batch._replace(rows=batch.rows + position * TOKENIZED_AT_ONCE)


def _tokenize(tokenizer: "Tokenizer", texts: list[str], pad_id: int) -> list[IntArray]:
    # Without start and end marks the empty text has no token: a padding token represents it.
    return [np.array(encoding.ids or [pad_id], dtype=np.int32) for encoding in tokenizer.encode_batch_fast(texts)]
