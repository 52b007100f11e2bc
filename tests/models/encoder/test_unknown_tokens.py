"""The share of a text's tokens that an encoder does not know."""

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.pre_tokenizers import ByteLevel, Whitespace
from tokenizers.processors import TemplateProcessing

from models.encoder.unknown_tokens import saved_tokenizer, unknown_share, unknown_shares


def _word_piece() -> Tokenizer:
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "[CLS]": 1, "red": 2, "##der": 3, "cup": 4}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    return tokenizer


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(Unigram([("<unk>", 0.0), ("red", -1.0), ("cup", -1.0), ("der", -1.0)], unk_id=0))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


@pytest.mark.parametrize("tokenizer", [_word_piece(), _unigram()], ids=["word pieces", "unigram"])
@pytest.mark.parametrize(
    ("text", "share"),
    [("red cup", 0), ("redder", 0), ("東京", 1), ("red 東京", 0.5), ("red cup cup 東京", 0.25), ("", 0)],
)
def test_unknown_tokens_are_counted_without_the_marks_of_start_and_end(tokenizer, text, share):
    assert unknown_shares(tokenizer, [text, "red"]).tolist() == [share, 0]


def test_a_vocabulary_of_bytes_knows_every_text():
    tokenizer = Tokenizer(BPE({letter: at for at, letter in enumerate(ByteLevel.alphabet())}, []))
    tokenizer.pre_tokenizer = ByteLevel()
    assert unknown_shares(tokenizer, ["東京", "red"]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("texts", "share"), [(["red cup", "red 東京"], 0.25), (["東京", "red cup der"], 0.25), (["", ""], None), ([], None)]
)
def test_texts_share_their_unknown_tokens(tmp_path, texts, share):
    _unigram().save(str(tmp_path / "tokenizer.json"))
    assert unknown_share(saved_tokenizer(tmp_path), texts) == share


def test_a_folder_without_a_tokenizer_tells_nothing(tmp_path):
    assert saved_tokenizer(tmp_path) is None
