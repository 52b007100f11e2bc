"""Search in memory finds what LanceDB's exact search finds."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from warehouse.vectors.exact_search import ExactSearch
from warehouse.vectors.lance_tables import to_vectors
from warehouse.vectors.product_vectors import VectorStore

DIM, TABLE = 16, "products_m1"


def rows_of(count: int, seed: int = 0) -> pa.Table:
    """Return rows in two locales, whose vectors are of length 1; every tenth vector is that of the row before."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, DIM)).astype(np.float32)
    vectors[10::10] = vectors[9:-1:10][: len(vectors[10::10])]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    locales = ["es" if row % 3 else "jp" for row in range(count)]
    return pa.table(
        {
            "key": [f"{locale}:{row}" for row, locale in enumerate(locales)],
            "product_id": [str(row) for row in range(count)],
            "locale": locales,
            "title": [f"title {row}" for row in range(count)],
            "vector": to_vectors(vectors),
            "input_hash": ["h"] * count,
        }
    )


def in_memory(rows: pa.Table) -> ExactSearch:
    return ExactSearch(rows.drop(["input_hash"]).to_batches(7), rows.num_rows, DIM)


def probe(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("locale", [None, "es", "jp"])
def test_it_finds_what_a_full_scan_of_lancedb_finds(tmp_path: Path, locale: str | None) -> None:
    store, rows = VectorStore(tmp_path), rows_of(400)
    plain = store.apply(TABLE, [rows], [], DIM).version
    indexed = store.refresh_index(TABLE, index_above=1)
    assert store.open(TABLE, indexed) is None
    assert store.open(TABLE, plain) is not None
    for seed in range(20):
        found = store.search(TABLE, plain, probe(seed), 25, locale)
        scanned = store.search(TABLE, indexed, probe(seed), 25, locale, exact=True)
        assert found.drop("score").equals(scanned.drop("score"))
        assert found["score"].to_list() == pytest.approx(scanned["score"].to_list(), abs=1e-6)


def test_rows_that_tie_with_the_last_are_found_too() -> None:
    rows = rows_of(40)
    vector = np.asarray(pl.DataFrame(rows.select(["vector"]))["vector"].to_numpy()[19])
    assert set(in_memory(rows).nearest(vector, 1)["product_id"].to_pylist()) == {"19", "20"}


def test_vectors_of_other_lengths_are_compared_by_direction() -> None:
    rows = rows_of(30)
    longer = rows.set_column(4, "vector", to_vectors(pl.DataFrame(rows)["vector"].to_numpy() * np.float32(3)))
    one, other = (in_memory(each).nearest(probe(1), 5).sort_by("key") for each in (rows, longer))
    assert one["key"] == other["key"]
    assert one["_distance"].to_pylist() == pytest.approx(other["_distance"].to_pylist(), abs=1e-6)


@pytest.mark.parametrize("count", [1, 5, 100, 400])
def test_few_products_and_many_are_compared_alike(count: int) -> None:
    search, keys = in_memory(rows_of(400)), [f"{'es' if row % 3 else 'jp'}:{row}" for row in range(count)]
    cosines = search.cosines(probe(2), keys)
    best = sorted(keys, key=lambda key: -cosines[key])[:3]
    found = search.nearest_among(probe(2), 3, set(keys)).to_pydict()
    near = {key: 1 - distance for key, distance in zip(found["key"], found["_distance"], strict=True)}
    assert set(best) <= near.keys()
    assert all(near[key] == pytest.approx(cosines[key], abs=1e-6) for key in near)


def test_unknown_keys_and_locales_have_no_rows() -> None:
    search = in_memory(rows_of(30))
    assert search.nearest(probe(1), 5, "us").num_rows == 0
    assert search.nearest_among(probe(1), 5, {"us:1", "es:1"})["key"].to_pylist() == ["es:1"]
    assert list(search.cosines(probe(1), ["us:1", "es:1"])) == ["es:1"]
    assert search.vector("us:1") is None


def test_a_table_without_rows_has_no_hits() -> None:
    assert in_memory(rows_of(30).slice(0, 0)).nearest(probe(1), 5).num_rows == 0


def test_two_versions_are_kept_in_memory(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    for seed in range(3):
        store.apply(TABLE, [rows_of(30, seed)], [], DIM)
    first = store.open(TABLE, 1)
    assert store.open(TABLE, 1) is first
    store.open(TABLE, 2)
    store.open(TABLE, 3)
    assert store.open(TABLE, 1) is not first
