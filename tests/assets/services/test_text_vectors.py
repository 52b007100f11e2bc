"""Texts are composed as the encoder receives them, and each text receives its own vector."""

import numpy as np
import polars as pl
import pytest

from assets.run_context import RunContext
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.vectors.embedding_cache import text_hash


class LengthEncoder:
    """Stand in for the encoder: a text's vector is its length and 1."""

    fingerprint = "0123456789abcdef"

    def __init__(self):
        self.calls = []

    def encode(self, texts, on_progress=None):
        self.calls.append(list(texts))
        if on_progress:
            on_progress(len(texts))
        return np.array([[len(text), 1.0] for text in texts], np.float32)


@pytest.fixture
def vectors(tmp_path, monkeypatch):
    encoder = LengthEncoder()
    monkeypatch.setattr("assets.services.text_vectors.encoder_fingerprint", lambda _settings: encoder.fingerprint)
    monkeypatch.setattr("assets.services.text_vectors.open_encoder", lambda *_: encoder)
    return TextVectors(RunContext(Home(tmp_path / "home")))


def test_product_and_query_texts_keep_the_order_of_the_rows():
    products = pl.DataFrame({"title": ["Mug", "Cup"], "brand": [None, "Acme"], "color": ["red", None]})
    assert product_texts(products) == ["Mug red", "Cup Acme"]
    assert query_texts(pl.DataFrame({"query": ["red  mug", "cup"]})) == ["red mug", "cup"]


def test_each_distinct_text_is_encoded_once_and_known_ones_never_again(vectors):
    filled = vectors.fill(["a", "bbb", "a"])
    assert (filled.distinct, filled.encoded) == (2, 2)
    again = vectors.fill(["bbb", "cc"])
    assert (again.distinct, again.encoded) == (2, 1)
    assert vectors.encoder.calls == [["a", "bbb"], ["cc"]]
    assert vectors.cached(["cc", "a", "cc"]).tolist() == [[2, 1], [1, 1], [2, 1]]


def test_progress_is_announced_with_how_many_texts_are_to_be_encoded_and_not_at_all_for_none(vectors):
    announced = []

    def announce(total):
        announced.append(("of", total))
        return announced.append

    vectors.fill(["a", "bbb", "a"], announce)
    assert announced == [("of", 2), 2]
    vectors.fill(["bbb"], announce)
    assert announced == [("of", 2), 2]


def test_the_encoder_is_not_loaded_where_all_texts_are_known(vectors, monkeypatch):
    vectors.fill(["a"])
    monkeypatch.setattr("assets.services.text_vectors.open_encoder", lambda *_: pytest.fail("loaded"))
    fresh = TextVectors(vectors._run_context)
    assert fresh.fill(["a"]).encoded == 0
    assert fresh.cached(["a"]).tolist() == [[1, 1]]


def test_texts_that_are_only_encoded_are_not_kept(vectors):
    assert vectors.encoded(["seven c"]).tolist() == [[7, 1]]
    with pytest.raises(WarehouseError, match="no cached vector"):
        vectors.cached(["seven c"])


def test_products_without_any_text_have_a_vector_all_the_same(vectors):
    products = pl.DataFrame(
        {"title": [None], "brand": [None], "color": [None]},
        schema_overrides=dict.fromkeys(("title", "brand", "color"), pl.String),
    )
    assert product_texts(products) == [""]
    vectors.fill(product_texts(products))
    assert vectors.cached([""]).tolist() == [[0, 1]]
    assert text_hash("") == "d41d8cd98f00b204e9800998ecf8427e"
