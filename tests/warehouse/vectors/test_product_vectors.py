import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.errors import WarehouseError
from warehouse.vectors.index_status import IndexStatus
from warehouse.vectors.lance_tables import to_matrix, to_vectors
from warehouse.vectors.product_vectors import COLUMNS, VectorStore

DIM = 8
TABLE = "products_m1"
NASTY = ["x' OR 1=1 --", 'a"b', "back\\slash", "naïve ☕ 日本", "%_", "", "'", "'; DROP TABLE products; --"]


def one_hot(at: int, length: float = 1.0) -> list[float]:
    return [length if i == at else 0.0 for i in range(DIM)]


def frame(*rows: tuple[str, list[float]], locale: str = "us", input_hash: str = "h") -> pl.DataFrame:
    """Return rows of (product id, vector)."""
    return pl.DataFrame(
        {
            "key": [f"{locale}:{product}" for product, _ in rows],
            "product_id": [product for product, _ in rows],
            "locale": [locale] * len(rows),
            "title": [f"title of {product}" for product, _ in rows],
            "vector": [vector for _, vector in rows],
            "input_hash": [input_hash] * len(rows),
        },
        schema_overrides={"vector": pl.Array(pl.Float32, DIM)},
    )


@pytest.fixture
def store(tmp_path: Path) -> VectorStore:
    return VectorStore(tmp_path / "vectors")


def query(*values: float) -> np.ndarray:
    return np.array([*values, *([0.0] * (DIM - len(values)))], np.float32)


def test_a_store_without_tables_is_empty_and_stays_unwritten(store: VectorStore, tmp_path: Path) -> None:
    assert store.current(TABLE).schema == {"key": pl.String, "input_hash": pl.String}
    assert store.current(TABLE).is_empty()
    assert store.version(TABLE) == 0
    assert store.apply(TABLE, [], ["us:gone"], DIM).version == 0
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(WarehouseError, match="the vector table products_m1 does not exist"):
        store.search(TABLE, 1, query(1), 3)


def test_what_differs_is_found_to_the_bit_whatever_its_hash_says(store: VectorStore) -> None:
    rows = frame(("A", one_hot(0)), ("B", one_hot(1)), ("C", one_hot(2)))
    (all_of_them,) = store.differing(TABLE, [rows])
    assert all_of_them.num_rows == 3
    store.apply(TABLE, [rows], [], DIM)
    nudged = float(np.nextafter(np.float32(1), np.float32(2)))
    made = frame(("D", one_hot(3)), ("C", one_hot(2, nudged)), ("B", one_hot(1)), ("A", one_hot(0)))
    made = made.with_columns(title=pl.when(pl.col("key") == "us:B").then(pl.lit("other")).otherwise("title"))
    first, second = store.differing(TABLE, [made.head(2), made.tail(2)])
    assert [first["key"].to_pylist(), second["key"].to_pylist()] == [["us:D", "us:C"], ["us:B"]]


def test_the_cosines_of_a_few_products_are_those_of_a_search(store: VectorStore) -> None:
    rows = frame(("C", one_hot(1)), ("D", one_hot(0, -1.0)), ("A", one_hot(0)), ("B", [0.6, 0.8, *[0.0] * 6]))
    version = store.apply(TABLE, [rows], [], DIM).version
    store.apply(TABLE, [frame(("B", one_hot(0)))], [], DIM)
    cosines = store.cosines(TABLE, version, query(1), ["us:B", "us:gone", "us:D"])
    assert cosines == pytest.approx({"us:B": 0.6, "us:D": -1})
    assert store.cosines(TABLE, version, query(1), []) == {}
    keys = [f"x' OR 1=1 {number}" for number in range(3)]
    assert store.cosines(TABLE, version, query(1), keys) == {}


@pytest.mark.parametrize("few", [5_000, 1])
def test_the_nearest_among_some_products_are_found(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("warehouse.vectors.product_vectors._FEW_KEYS", few)
    near = [(f"A{number:02}", one_hot(0)) for number in range(30)]
    rows = frame(*near, ("B", [0.6, 0.8, *[0.0] * 6]), ("C", one_hot(1)))
    version = store.apply(TABLE, [rows], [], DIM).version
    hits = store.search_among(TABLE, version, query(1), 3, {"us:C", "us:B", "us:gone"})
    assert hits.select("rank", "key", "locale", "title").rows() == [
        (1, "us:B", "us", "title of B"),
        (2, "us:C", "us", "title of C"),
    ]
    assert hits["score"].to_list() == pytest.approx([0.6, 0])
    assert hits.schema == store.search(TABLE, version, query(1), 3).schema
    assert store.search_among(TABLE, version, query(1), 1, {"us:C", "us:B"})["key"].to_list() == ["us:B"]
    assert store.search_among(TABLE, version, query(1), 3, set()).is_empty()


def test_the_vector_of_a_product_is_read(store: VectorStore) -> None:
    version = store.apply(TABLE, [frame(("A", one_hot(2)))], [], DIM).version
    vector = store.vector(TABLE, version, "us:A")
    assert vector is not None
    assert vector.tolist() == one_hot(2)
    assert store.vector(TABLE, version, "us:gone") is None


def test_search_ranks_by_cosine(store: VectorStore) -> None:
    # cosines with (1, 0, …): A 1, B 0.6, C 0, D -1
    rows = frame(("C", one_hot(1)), ("D", one_hot(0, -1.0)), ("A", one_hot(0)), ("B", [0.6, 0.8, *[0.0] * 6]))
    version = store.apply(TABLE, [rows], [], DIM).version

    hits = store.search(TABLE, version, query(1), 4)

    assert hits.columns == ["rank", "key", "product_id", "locale", "title", "score"]
    assert hits["rank"].to_list() == [1, 2, 3, 4]
    assert hits["product_id"].to_list() == ["A", "B", "C", "D"]
    assert hits["score"].to_list() == pytest.approx([1.0, 0.6, 0.0, -1.0], abs=1e-6)
    assert hits["key"][1] == "us:B"
    assert hits["title"][1] == "title of B"


def test_ties_go_by_product_id_even_where_they_are_cut_off(store: VectorStore) -> None:
    tied = [(f"T{i:02}", one_hot(0)) for i in (7, 3, 19, 1, 12, 5, 0, 30, 2, 11, 25, 9)]
    version = store.apply(TABLE, [frame(*tied, ("Z", one_hot(1)))], [], DIM).version
    assert store.search(TABLE, version, query(1), 3)["product_id"].to_list() == ["T00", "T01", "T02"]
    assert store.search(TABLE, version, query(0, 1), 2)["product_id"].to_list() == ["Z", "T00"]
    assert store.search(TABLE, version, query(1), 99).height == 13


def test_the_locale_filter_keeps_the_same_product_of_other_shops_out(store: VectorStore) -> None:
    shops = [frame(("A", one_hot(0)), ("B", one_hot(1))), frame(("A", one_hot(0)), locale="jp")]
    version = store.apply(TABLE, shops, [], DIM).version
    assert store.search(TABLE, version, query(1), 9)["key"].to_list() == ["jp:A", "us:A", "us:B"]
    assert store.search(TABLE, version, query(1), 9, "jp")["key"].to_list() == ["jp:A"]
    assert store.search(TABLE, version, query(1), 9, "us' OR 1=1 --").is_empty()


def test_a_version_answers_as_it_was_whatever_is_written_later(store: VectorStore, tmp_path: Path) -> None:
    first = store.apply(TABLE, [frame(("A", one_hot(0)), ("B", one_hot(1)))], [], DIM).version
    second = store.apply(TABLE, [frame(("C", one_hot(0)))], ["us:A"], DIM).version
    for reader in (store, VectorStore(tmp_path / "vectors")):
        assert reader.search(TABLE, first, query(1), 1)["product_id"].to_list() == ["A"]
        assert reader.search(TABLE, second, query(1), 1)["product_id"].to_list() == ["C"]
        assert (reader.count(TABLE, first), reader.count(TABLE)) == (2, 2)
    with pytest.raises(WarehouseError, match="version 99 of the table products_m1 does not exist"):
        store.search(TABLE, 99, query(1), 1)


def test_a_write_with_nothing_to_do_makes_no_version(store: VectorStore) -> None:
    written = store.apply(TABLE, [frame(("A", one_hot(0)))], [], DIM)
    assert (written.upserted, written.deleted) == (1, 0)
    for upserts in ([], [frame()]):
        again = store.apply(TABLE, upserts, ["us:unknown", "us:A' OR 1=1 --"], DIM)
        assert (again.version, again.upserted, again.deleted) == (written.version, 0, 0)
    assert store.refresh_index(TABLE) == written.version


def test_a_key_that_comes_twice_keeps_its_last_row(store: VectorStore) -> None:
    twice = [frame(("A", one_hot(0)), ("A", one_hot(1))), frame(("A", one_hot(2)), input_hash="last")]
    assert store.apply(TABLE, twice, [], DIM).upserted == 1
    assert store.current(TABLE).rows() == [("us:A", "last")]
    assert to_matrix(store.read(TABLE, columns=["vector"])["vector"]).tolist() == [one_hot(2)]


def test_a_key_both_deleted_and_upserted_is_there(store: VectorStore) -> None:
    store.apply(TABLE, [frame(("A", one_hot(0)), input_hash="old")], [], DIM)
    store.apply(TABLE, [frame(("A", one_hot(1)), input_hash="new")], ["us:A"], DIM)
    assert store.current(TABLE).rows() == [("us:A", "new")]
    keys = pl.DataFrame({"key": ["us:A", "us:Z"]})
    assert store.current(TABLE, keys).rows() == [("us:A", "new")]
    assert store.current(TABLE, keys.filter(pl.col("key") != "us:A")).is_empty()


def test_rows_are_committed_in_pieces_of_the_size_asked_for(store: VectorStore) -> None:
    rows = [(f"P{i}", one_hot(i % DIM)) for i in range(7)]
    write = store.apply(TABLE, (frame(row) for row in rows), [], DIM, commit_rows=3)
    assert (write.version, write.upserted, store.count(TABLE)) == (4, 7, 7)  # created, then 3 + 3 + 1 rows


def test_arrow_and_polars_pieces_are_both_taken(store: VectorStore) -> None:
    polars = frame(("A", one_hot(0)))
    lists = frame(("B", one_hot(1))).with_columns(pl.col("vector").arr.to_list()).select(reversed(COLUMNS))
    arrow = frame(("C", one_hot(2))).to_arrow()
    store.apply(TABLE, [polars, lists, arrow, *frame(("D", one_hot(3))).to_arrow().to_batches()], [], DIM)
    table = store.read(TABLE).sort_by("key")
    assert table["product_id"].to_pylist() == ["A", "B", "C", "D"]
    assert np.array_equal(to_matrix(table["vector"]), np.eye(DIM, dtype=np.float32)[:4])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows.drop("title"), "title"),
        (lambda rows: rows.with_columns(input_hash=pl.lit(None, pl.String)), "input_hash"),
        (lambda rows: rows.with_columns(vector=pl.lit([1.0, 2.0])), "list"),
        (lambda rows: rows.with_columns(vector=pl.lit([float("nan")] * DIM)), "not finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    store: VectorStore, spoil: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    with pytest.raises(WarehouseError, match=message):
        store.apply(TABLE, [spoil(frame(("A", one_hot(0))))], [], DIM)
    assert store.version(TABLE) == 0


def test_another_dimension_is_refused(store: VectorStore) -> None:
    version = store.apply(TABLE, [frame(("A", one_hot(0)))], [], DIM).version
    wide = frame(("B", one_hot(0))).with_columns(vector=pl.Series([[0.0] * 9], dtype=pl.Array(pl.Float32, 9)))
    with pytest.raises(WarehouseError, match="products_m1"):
        store.apply(TABLE, [wide], ["us:A"], 9)
    with pytest.raises(WarehouseError, match="holds 8 dimensions"):
        store.search(TABLE, version, np.ones(9, np.float32), 1)
    assert store.version(TABLE) == version


def test_a_model_id_cannot_leave_the_directory(store: VectorStore) -> None:
    with pytest.raises(WarehouseError, match="is not a valid table name"):
        store.apply("../elsewhere", [frame(("A", one_hot(0)))], [], DIM)


def test_ids_that_look_like_sql_are_plain_ids(store: VectorStore) -> None:
    rows = frame(*((text, one_hot(i)) for i, text in enumerate(NASTY)))
    version = store.apply(TABLE, [rows], [], DIM).version
    for i, text in enumerate(NASTY):
        assert store.search(TABLE, version, query(*one_hot(i)), 1)["product_id"].to_list() == [text]
    left = set(rows["key"])
    for key in rows["key"]:
        assert store.apply(TABLE, [], [key], DIM).deleted == 1
        left.remove(key)
        assert set(store.current(TABLE)["key"]) == left

    shops = [frame(("A", one_hot(0)), locale=text) for text in NASTY]
    version = store.apply(TABLE, shops, [], DIM).version
    for text in NASTY:
        assert store.search(TABLE, version, query(1), 9, text)["locale"].to_list() == [text]


ACTIONS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("ABC'"), st.integers(0, 3)), max_size=5),
        st.lists(st.sampled_from(["us:A", "us:B", "us:'", "us:gone"]), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=ACTIONS)
def test_any_sequence_of_writes_ends_like_a_dict(
    tmp_path: Path, actions: list[tuple[list[tuple[str, int]], list[str]]]
) -> None:
    shutil.rmtree(tmp_path / "vectors", ignore_errors=True)
    store = VectorStore(tmp_path / "vectors")
    expected: dict[str, str] = {}
    for upserts, deletes in actions:
        before = store.version(TABLE)
        rows = [frame((product, one_hot(at)), input_hash=str(at)) for product, at in upserts]
        write = store.apply(TABLE, rows, deletes, DIM, commit_rows=2)
        changes = bool(upserts) or not expected.keys().isdisjoint(deletes)
        assert (write.version > before) == changes
        assert write.deleted == len(expected.keys() & set(deletes))
        for key in deletes:
            expected.pop(key, None)
        expected |= {f"us:{product}": str(at) for product, at in upserts}
        assert dict(store.current(TABLE).rows()) == expected
    if expected:
        table = store.read(TABLE)
        stored = dict(zip(table["key"].to_pylist(), to_matrix(table["vector"]).tolist(), strict=True))
        assert stored == {key: one_hot(int(at)) for key, at in expected.items()}


def test_a_copied_directory_answers_alike_without_the_old_one(store: VectorStore, tmp_path: Path) -> None:
    version = store.apply(TABLE, [frame(("A", one_hot(0)), ("B", one_hot(1)))], [], DIM).version
    before = store.search(TABLE, version, query(1), 2)
    shutil.copytree(tmp_path / "vectors", tmp_path / "elsewhere" / "vectors")
    (tmp_path / "vectors").rename(tmp_path / "away")
    shutil.rmtree(tmp_path / "away")

    copy = VectorStore(tmp_path / "elsewhere" / "vectors")
    assert copy.search(TABLE, version, query(1), 2).equals(before)
    assert copy.apply(TABLE, [frame(("C", one_hot(2)))], ["us:A"], DIM).deleted == 1
    assert sorted(copy.current(TABLE)["key"]) == ["us:B", "us:C"]
    assert not (tmp_path / "vectors").exists()


def test_the_vector_index_is_built_above_a_size_and_updated(store: VectorStore) -> None:
    rng = np.random.default_rng(7)

    def rows(start: int, count: int) -> pl.DataFrame:
        matrix = rng.normal(size=(count, DIM))
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        return frame(*((f"P{start + i:04}", vector) for i, vector in enumerate(matrix.tolist())))

    version = store.apply(TABLE, [rows(0, 400)], [], DIM).version
    assert store.refresh_index(TABLE, index_above=500) == version
    assert not store.index_status(TABLE).indexed
    built = store.refresh_index(TABLE, index_above=300)
    assert built > version
    assert store.refresh_index(TABLE, index_above=300) == built

    merged = store.apply(TABLE, [rows(390, 30)], ["us:P0000"], DIM).version
    assert store.index_status(TABLE).unindexed_rows == 30
    probe = query(0.3, -0.5, 0.8)
    exact = store.search(TABLE, merged, probe, 10, exact=True)
    every = (
        50  # candidates a result row: all rows, since the codes' random rotation decides which of fewer are looked at
    )
    assert set(store.search(TABLE, merged, probe, 10, refine_factor=every)["key"]) == set(exact["key"])
    refreshed = store.refresh_index(TABLE, index_above=300)
    status = store.index_status(TABLE)
    assert (status.rows, status.indexed, status.unindexed_rows) == (419, True, 0)
    assert store.refresh_index(TABLE, index_above=300) == refreshed
    hits = store.search(TABLE, refreshed, probe, 10, refine_factor=every)
    assert hits["score"].to_list() == pytest.approx(exact["score"].to_list(), abs=1e-6)
    assert store.search(TABLE, version, probe, 10).height == 10


def _random_rows(first: int, count: int) -> pl.DataFrame:
    matrix = np.random.default_rng(first).normal(size=(count, DIM))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return frame(*((f"P{first + i:04}", vector) for i, vector in enumerate(matrix.tolist())))


def test_a_few_new_rows_stay_outside_the_index_and_are_found(store: VectorStore) -> None:
    store.apply(TABLE, [_random_rows(0, 400)], [], DIM)
    store.refresh_index(TABLE, index_above=300)
    few = store.apply(TABLE, [_random_rows(500, 20)], [], DIM).version
    assert store.refresh_index(TABLE, index_above=300, unindexed_share=0.05) == few  # 20 of 420
    vector = _random_rows(500, 1)["vector"][0].to_numpy()
    assert store.search(TABLE, few, vector, 1)["key"].to_list() == ["us:P0500"]
    many = store.apply(TABLE, [_random_rows(600, 20)], [], DIM).version
    assert store.refresh_index(TABLE, index_above=300, unindexed_share=0.05) > many  # 40 of 440
    assert (store.index_status(TABLE).rows, store.index_status(TABLE).unindexed_rows) == (440, 0)


def test_an_index_is_one_segment_however_often_rows_came(store: VectorStore) -> None:
    store.apply(TABLE, [_random_rows(0, 2000)], [], DIM)
    store.refresh_index(TABLE, index_above=300)
    for first in range(3000, 3060, 10):
        store.apply(TABLE, [_random_rows(first, 10)], ["us:P0003"], DIM)
        version = store.refresh_index(TABLE, index_above=300)
    assert store.index_status(TABLE) == IndexStatus(rows=2059, indexed=True, unindexed_rows=0, segments=1, files=7)
    assert store.refresh_index(TABLE, index_above=300) == version


def test_the_files_of_an_indexed_table_are_joined_too(store: VectorStore) -> None:
    store.apply(TABLE, [_random_rows(0, 400)], [], DIM)
    store.refresh_index(TABLE, index_above=300)
    for first in range(500, 504):
        store.apply(TABLE, [_random_rows(first, 1)], [], DIM)
        store.refresh_index(TABLE, index_above=300, most_files=3, unindexed_share=0.5)
        assert store.index_status(TABLE).files <= 3
    assert store.index_status(TABLE).indexed


def test_rows_that_are_written_while_the_index_is_made_stay_outside_it(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.apply(TABLE, [_random_rows(0, 2000)], [], DIM)
    first = store.refresh_index(TABLE, index_above=300)
    store.apply(TABLE, [_random_rows(3000, 50)], [], DIM)
    writer, ended, written = VectorStore(store.root), threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not ended.is_set():
            writer.apply(TABLE, [_random_rows(4000 + written, 1)], [f"us:P{written:04}"], DIM)
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            store.refresh_index(TABLE, index_above=300, most_files=3)
    finally:
        ended.set()
        thread.join()
    status = store.index_status(TABLE)
    assert (status.indexed, status.segments) == (True, 1)
    newest = store.version(TABLE)
    numbers = store.current(TABLE)["key"].str.strip_prefix("us:P").cast(pl.Int64).sort().to_list()
    assert written
    assert numbers == [*range(written, 2000), *range(3000, 3050), *range(4000, 4000 + written)]
    vector = _random_rows(4000, 1)["vector"][0].to_numpy()
    assert store.search(TABLE, newest, vector, 1)["key"].to_list() == ["us:P4000"]
    assert store.count(TABLE, first) == 2000


def test_versions_with_other_files_or_indexes_have_the_same_rows(store: VectorStore) -> None:
    written = store.apply(TABLE, [_random_rows(0, 400)], [], DIM).version
    indexed = store.refresh_index(TABLE, index_above=300)
    assert indexed > written
    assert store.has_same_rows(TABLE, written, indexed)
    changed = store.apply(TABLE, [_random_rows(0, 1).with_columns(input_hash=pl.lit("other"))], [], DIM).version
    fewer = store.apply(TABLE, [], ["us:P0007"], DIM).version
    assert not store.has_same_rows(TABLE, indexed, changed)
    assert not store.has_same_rows(TABLE, changed, fewer)
    assert not store.has_same_rows(TABLE, fewer, 99)


def test_many_small_files_are_joined_and_old_versions_kept(store: VectorStore) -> None:
    first = store.apply(TABLE, [frame(("P0", one_hot(0)))], [], DIM).version
    for i in range(1, 5):
        last = store.apply(TABLE, [frame((f"P{i}", one_hot(i)))], [], DIM).version
    joined = store.refresh_index(TABLE, most_files=3)
    assert joined > last
    assert store.refresh_index(TABLE, most_files=3) == joined
    assert (store.count(TABLE, first), store.count(TABLE, joined)) == (1, 5)


def test_matrices_survive_the_way_through_arrow() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(to_matrix(to_vectors(matrix)), matrix)
    assert np.array_equal(to_matrix(to_vectors(matrix).slice(1, 2)), matrix[1:3])
    assert np.array_equal(to_matrix(pa.chunked_array([to_vectors(matrix[:1]), to_vectors(matrix[1:])])), matrix)
    assert to_matrix(to_vectors(matrix[:0])).shape == (0, 3)
