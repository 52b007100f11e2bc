"""The encoder alone: the order of its own vectors, which no tower has changed."""

import shutil

import numpy as np
import pytest

from models.encoder.loading import load_encoder
from models.encoder.text_template import product_text
from orchestration.config.open_context import open_home
from orchestration.config.settings import load_settings
from orchestration.serving import encoder_index
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.features import datasets

QUERY = "black tent"


@pytest.fixture(scope="module")
def searcher(built):
    return Searcher(built.home)


@pytest.mark.parametrize("locale", [None, "us"])
def test_the_order_is_that_of_the_encoded_texts(built, searcher, locale):
    settings = load_settings(built.home)
    home = open_home(settings)
    encoder = load_encoder(settings.encoder, home.encoders)
    products = datasets.products(home.lake, searcher.release.snapshot)
    vectors = encoder.encode(products.select(product_text()).to_series().to_list())
    scores = dict(zip(products["key"], (vectors @ encoder.encode([QUERY])[0]).astype(float).tolist(), strict=True))
    own = [score for key, score in scores.items() if locale in (None, key.split(":")[0])]
    hits = searcher.search(QUERY, 10, locale, mode="encoder", fold=False)
    assert [hit.score for hit in hits] == pytest.approx(sorted(own, reverse=True)[:10], abs=1e-3)
    assert [scores[hit.key] for hit in hits] == pytest.approx([hit.score for hit in hits], abs=1e-3)
    by_towers = searcher.search(QUERY, 10, locale, mode="vector", fold=False)
    assert not np.allclose([hit.score for hit in by_towers], [hit.score for hit in hits])


def test_a_filter_applies_first(searcher):
    every = searcher.search(QUERY, 1_000, mode="encoder", fold=False)
    kept = searcher.search(QUERY, 1_000, mode="encoder", fold=False, where="color = 'black'")
    assert 0 < len(kept) < len(every)
    assert [hit.key for hit in kept] == [hit.key for hit in every if hit.key in {each.key for each in kept}]


def test_a_catalog_that_is_too_large_is_told(built, monkeypatch):
    monkeypatch.setattr(encoder_index, "MOST_ROWS", 5)
    with pytest.raises(WarehouseError, match="at most 5 products"):
        Searcher(built.home).search(QUERY, mode="encoder")


def test_texts_that_are_no_longer_cached_are_told(copy_home):
    home = copy_home()
    searcher = Searcher(home)
    shutil.rmtree(next((home / "vectors").glob("embeddings_*")))
    with pytest.raises(WarehouseError, match="have no cached vector"):
        searcher.search(QUERY, mode="encoder")
    assert searcher.search(QUERY)
