import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from models.encoder import token_batches as module
from models.encoder.token_batches import encode_texts, token_batches

WORDS = {"red": 1, "blue": 2, "mug": 3}


def encode(texts, on_progress=None):
    """Encode a text as the count of each word."""
    tokenizer = Tokenizer(models.WordLevel(WORDS | {"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()

    def forward(batches):
        for batch in batches:
            counts = [
                [((ids == word) & (mask == 1)).sum() for word in (1, 2, 3)]
                for ids, mask in zip(*batch[1:], strict=True)
            ]
            yield batch, np.array(counts, dtype=np.float32)

    given = {"pad_id": 0, "dim": 3, "batch_texts": 2, "forward": forward, "on_progress": on_progress}
    return encode_texts(texts, tokenizer=tokenizer, **given)


TEXTS = [
    "red mug",
    "blue",
    "red red blue",
    "mug " * 9,
    "red mug",
    "blue mug",
    "",
    "mug",
    "red",
    "blue " * 20,
    "mug red red",
]


@pytest.mark.parametrize("at_once", [1, 3, 10, 11])
def test_texts_that_are_tokenized_in_portions_get_the_same_vectors(monkeypatch, at_once):
    expected = np.array([[text.split().count(word) for word in WORDS] for text in TEXTS], dtype=np.float64)
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    monkeypatch.setattr(module, "TOKENIZED_AT_ONCE", at_once)
    portions = []
    np.testing.assert_allclose(encode(TEXTS, portions.append), expected, atol=1e-7)
    assert portions == sorted(portions)
    assert portions[-1] == len(TEXTS)


def test_an_error_between_portions_comes_through(monkeypatch):
    monkeypatch.setattr(module, "TOKENIZED_AT_ONCE", 2)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(TEXTS, stop)


def test_texts_are_padded_by_their_own_length_to_a_multiple_of_eight():
    (batch,) = token_batches([[5, 6, 7]], pad_id=9, batch_texts=4)
    assert batch.ids.tolist() == [[5, 6, 7, 9, 9, 9, 9, 9]]
    assert batch.mask.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0]]


def test_a_full_multiple_of_eight_is_not_padded():
    (batch,) = token_batches([list(range(1, 17))], pad_id=0, batch_texts=4)
    assert batch.ids.shape == (1, 16)
    assert batch.mask.all()


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=30), max_size=20), st.integers(1, 5))
def test_batches_hold_every_text_once_whole_and_with_its_equals_in_length(token_ids, batch_texts):
    batches = list(token_batches(token_ids, pad_id=0, batch_texts=batch_texts))
    batch_by_row = {}
    for batch in batches:
        assert 1 <= len(batch.rows) <= batch_texts
        for row, ids, mask in zip(batch.rows.tolist(), batch.ids, batch.mask, strict=True):
            assert row not in batch_by_row
            batch_by_row[row] = ids[mask == 1].tolist()
            assert 0 <= len(ids) - mask.sum() < 8
    assert batch_by_row == dict(enumerate(token_ids))


def test_longest_texts_come_first():
    batches = token_batches([[1], [1] * 20, [1] * 9], pad_id=0, batch_texts=1)
    assert [batch.rows.tolist() for batch in batches] == [[1], [2], [0]]


def test_arrays_are_what_the_models_take():
    (batch,) = token_batches([np.array([1, 2], dtype=np.int32)], pad_id=0, batch_texts=1)
    assert batch.ids.dtype == batch.mask.dtype == np.int64
