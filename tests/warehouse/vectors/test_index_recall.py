"""An index that misses neighbors is reported, and no other."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from warehouse.vectors.ann_index import unindexed_share
from warehouse.vectors.index_recall import Recall, index_recall
from warehouse.vectors.lance_tables import KEY, to_vectors
from warehouse.vectors.product_vectors import VectorStore

DIM = 8

TABLE = "products_m1"


def rows(keys: list[str], vectors: np.ndarray | None = None) -> pa.Table:
    vectors = np.eye(len(keys), DIM, dtype=np.float32) if vectors is None else vectors
    ids = [key.split(":")[1] for key in keys]
    locales = [key.split(":")[0] for key in keys]
    columns = {KEY: keys, "product_id": ids, "locale": locales, "title": ids, "input_hash": ["h"] * len(keys)}
    return pa.table(columns).append_column("vector", to_vectors(vectors))


@pytest.fixture
def indexed(tmp_path: Path) -> VectorStore:
    """Return vectors with an index as in production."""
    store = VectorStore(tmp_path / "vectors")
    drawn = np.random.default_rng(0).normal(size=(600, DIM))
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    store.apply(TABLE, [rows([f"us:P{number}" for number in range(600)], vectors)], [], DIM)
    store.refresh_index(TABLE, index_above=300)
    return store


@pytest.mark.parametrize("exact_rows", [10_000, 200])
def test_a_good_index_finds_the_neighbors(indexed: VectorStore, exact_rows: int) -> None:
    recall = index_recall(indexed, TABLE, seed=1, queries=16, exact_rows=exact_rows)
    assert recall.relevant > 16 * 10 * min(1, exact_rows / 600) * 0.5
    assert recall.share is not None
    assert recall.share > 0.95
    assert not recall.is_surely_below(0.8)


def test_rows_outside_the_index_are_counted(indexed: VectorStore) -> None:
    assert unindexed_share(indexed.index_status(TABLE)) == 0
    indexed.apply(TABLE, [rows([f"us:N{number}" for number in range(8)])], [], DIM)
    assert unindexed_share(indexed.index_status(TABLE)) == pytest.approx(8 / 608)


def test_an_index_that_confuses_most_products_is_detected(tmp_path: Path) -> None:
    from lancedb.index import IvfPq

    store, count = VectorStore(tmp_path / "vectors"), 20_000
    drawn = np.random.default_rng(0).normal(size=(count, DIM))
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    store.apply(TABLE, [rows([f"us:P{number}" for number in range(count)], vectors)], [], DIM)
    crude = IvfPq(distance_type="cosine", num_partitions=1, num_sub_vectors=2, num_bits=4)  # 256 codes for all of them
    store._open(TABLE).create_index("vector", config=crude)
    recall = index_recall(store, TABLE, seed=1, queries=32)
    assert recall.share is not None
    assert recall.share < 0.7
    assert recall.is_surely_below(0.8)


def test_without_an_index_search_is_exact_and_nothing_is_looked_for(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors")
    store.apply(TABLE, [rows([f"us:P{number}" for number in range(4)])], [], DIM)
    recall = index_recall(store, TABLE, seed=1, queries=4)
    assert (recall, recall.share) == (Recall(0, 0), None)
    assert not recall.is_surely_below(1.0)


def test_few_misses_by_chance_do_not_stop_a_release() -> None:
    assert not Recall(hits=12, relevant=16).is_surely_below(0.8)
    assert Recall(hits=5, relevant=16).is_surely_below(0.8)
    assert not Recall(hits=790, relevant=1000).is_surely_below(0.8)
    assert Recall(hits=750, relevant=1000).is_surely_below(0.8)
