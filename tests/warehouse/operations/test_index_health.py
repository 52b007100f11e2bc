"""Each defect of an index is reported for a table that has it, and for no other."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.lake.lake import Lake
from warehouse.operations.index_health import TableHealth, products, table_health
from warehouse.vectors.ann_index import INDEX_ABOVE, unindexed_share
from warehouse.vectors.index_status import IndexStatus
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
def home(built: Lake) -> Home:
    """Return a home with vectors of its four products."""
    home = Home(built.root.parent, built.settings)
    with home.lake.reading() as connection:
        keys = [key for (key,) in connection.sql("SELECT key FROM features.products ORDER BY key").fetchall()]
    assert keys == ["es:P1", "jp:P3", "us:P1", "us:P2"]
    home.vectors.apply(TABLE, [rows(keys)], [], DIM)
    return home


def look(home: Home) -> TableHealth:
    return table_health(home, TABLE, home.vectors.sample(TABLE, 32, seed=0)[KEY].to_pylist())


def test_a_whole_table_shows_nothing(home: Home) -> None:
    health = look(home)
    assert sorted(health.sampled) == ["es:P1", "jp:P3", "us:P1", "us:P2"]
    assert (health.rows, health.catalog_rows, health.unindexed_share) == (4, 4, 0.0)
    assert (health.unknown, health.deleted) == ([], [])


def test_a_lost_row_is_counted(home: Home) -> None:
    home.vectors.apply(TABLE, [], ["us:P1"], DIM)
    health = look(home)
    assert (health.rows, health.catalog_rows) == (3, 4)


def test_a_foreign_row_is_named_even_where_the_number_of_rows_is_right(home: Home) -> None:
    home.vectors.apply(TABLE, [rows(["us:X9"])], ["us:P1"], DIM)
    health = look(home)
    assert (health.rows, health.catalog_rows) == (4, 4)
    assert health.unknown == ["us:X9"]


def test_a_product_that_a_delta_took_out_is_named_while_it_has_a_vector(home: Home, tmp_path: Path) -> None:
    delta = tmp_path / "delta.jsonl"
    lines = [{"op": "delete", "product_locale": "us", "product_id": each} for each in ("P1", "unknown")]
    delta.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    apply_deltas(home.lake, check_deltas([delta]))
    with home.lake.writing() as connection:
        connection.execute("DELETE FROM features.products WHERE key = 'us:P1'")
    health = table_health(home, TABLE, [])  # whatever the sample has
    assert health.deleted == ["us:P1"]
    home.vectors.apply(TABLE, [], ["us:P1"], DIM)
    assert table_health(home, TABLE, []).deleted == []


def test_products_are_read_by_key(home: Home) -> None:
    rows = products(home, ["us:P2", "us:X9"])
    assert rows.select("key", "title").rows() == [("us:P2", "Plain Mug")]
    assert "title_words" in rows.columns


def test_a_sample_holds_the_rows_written_last_and_others_by_seed(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors")
    keys = [f"us:P{number:03}" for number in range(200)]
    store.apply(TABLE, [rows(keys, np.ones((200, DIM)))], [], DIM)
    store.apply(TABLE, [rows(keys[:4], np.ones((4, DIM)))], [], DIM)
    sample = store.sample(TABLE, 10, seed=1)[KEY].to_pylist()
    assert {"us:P000", "us:P001", "us:P002", "us:P003", "us:P199"} <= set(sample)
    assert len(sample) in range(6, 11)
    assert store.sample(TABLE, 10, seed=1)[KEY].to_pylist() == sample
    assert set(store.sample(TABLE, 10, seed=2)[KEY].to_pylist()) != set(sample)
    assert store.sample(TABLE, 1_000, seed=1).num_rows == 200


@pytest.mark.parametrize(
    ("status", "share"),
    [
        (IndexStatus(rows=50, indexed=False, unindexed_rows=50), 0.0),
        (IndexStatus(rows=INDEX_ABOVE, indexed=False, unindexed_rows=INDEX_ABOVE), 1.0),
        (IndexStatus(rows=1000, indexed=True, unindexed_rows=10), 0.01),
        (IndexStatus(rows=0, indexed=False, unindexed_rows=0), 0.0),
    ],
)
def test_a_small_table_needs_no_index_and_a_large_one_does(status: IndexStatus, share: float) -> None:
    assert unindexed_share(status) == share
