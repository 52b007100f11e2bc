"""The text index: written by key, searched at exact versions."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.transform.words import query_words
from warehouse.vectors.index_status import IndexStatus
from warehouse.vectors.lance_tables import LanceDirectory
from warehouse.vectors.text_index import COLUMNS, TABLE, TextIndex, TextWrite

SHOWN = list(COLUMNS[:-1])


def rows(*products: tuple[str, str, str], locale: str = "us") -> pl.DataFrame:
    """Return rows of (product id, title, description)."""
    return pl.DataFrame(
        [
            {
                "key": f"{locale}:{product}",
                "product_id": product,
                "locale": locale,
                "title": title,
                "brand": None,
                "color": None,
                "title_words": " ".join(query_words(title, locale)),
                "body_words": " ".join(query_words(body, locale)),
                "amounts": "",
                "input_hash": f"{title} {body}",
            }
            for product, title, body in products
        ],
        schema=dict.fromkeys(COLUMNS, pl.String),
    )


MUGS = rows(("A", "Red mug", ""), ("B", "Blue mug", "for red wine"), ("C", "Running shoe", "mesh"))


@pytest.fixture
def index(tmp_path: Path) -> TextIndex:
    return TextIndex(tmp_path / "vectors")


def found(index: TextIndex, version: int, query: str, k: int = 9, locale: str | None = None) -> list[str]:
    return index.search(version, query_words(query, "us"), k, locale)["key"].to_list()


def test_an_index_without_a_table_is_empty_and_stays_unwritten(index: TextIndex, tmp_path: Path) -> None:
    assert index.current().schema == {"key": pl.String, "input_hash": pl.String}
    assert index.current().is_empty()
    assert index.version() == 0
    assert index.apply([], ["us:gone"]) == TextWrite(0, 0, 0)
    assert (index.has(1), index.prunable([], datetime.now(UTC)), index.prune([], datetime.now(UTC))) == (False, 0, 0)
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(WarehouseError, match="the text index does not exist"):
        index.search(1, ["mug"], 3)


def test_rows_are_written_and_deleted_by_key(index: TextIndex) -> None:
    first = index.apply([MUGS.head(2), MUGS.tail(1)], [])
    assert (first.upserted, first.deleted, first.version) == (3, 0, index.version())
    second = index.apply([rows(("A", "Green mug", ""), ("D", "Cup", ""))], ["us:B", "us:gone"])
    assert (second.upserted, second.deleted) == (2, 1)
    assert second.version == index.version() > first.version
    assert dict(index.current().iter_rows()) == {"us:A": "Green mug ", "us:C": "Running shoe mesh", "us:D": "Cup "}
    assert index.count(first.version) == index.count(second.version) == 3
    assert found(index, second.version, "green cups") == ["us:D", "us:A"]
    assert found(index, second.version, "blue") == []


def test_the_hashes_of_some_keys_are_read_alone(index: TextIndex) -> None:
    index.apply([MUGS], [])
    assert index.current(pl.DataFrame({"key": ["us:C", "us:gone"]})).rows() == [("us:C", "Running shoe mesh")]
    assert index.current(pl.DataFrame({"key": []}, schema={"key": pl.String})).is_empty()


def test_a_write_without_rows_writes_no_version(index: TextIndex) -> None:
    version = index.apply([MUGS], []).version
    assert index.apply([], []) == index.apply([MUGS.clear()], ["us:gone"]) == TextWrite(version, 0, 0)


def test_a_title_counts_more_than_a_body(index: TextIndex) -> None:
    version = index.apply([MUGS], []).version
    hits = index.search(version, ["red", "mug"], 2)
    assert hits.columns == SHOWN
    assert hits["key"].to_list() == ["us:A", "us:B"]
    assert found(index, version, "red mugs", k=1) == ["us:A"]
    assert found(index, version, "wine") == ["us:B"]
    assert found(index, version, "Runs, shoes") == ["us:C"]


def test_equal_products_come_by_key(index: TextIndex) -> None:
    version = index.apply([rows(("B", "Mug", ""), ("C", "Mug", ""), ("A", "Mug", ""))], []).version
    assert found(index, version, "mug") == ["us:A", "us:B", "us:C"]


def test_a_search_of_a_locale_finds_its_products_alone(index: TextIndex) -> None:
    version = index.apply([MUGS, rows(("A", "Mug", ""), locale="es")], []).version
    assert found(index, version, "mug", locale="es") == ["es:A"]
    assert sorted(found(index, version, "mug", locale="us")) == ["us:A", "us:B"]
    assert sorted(found(index, version, "mug")) == ["es:A", "us:A", "us:B"]
    assert found(index, version, "mug", locale="jp") == []


@pytest.mark.parametrize("query", ["", "🙂", "unknown"])
def test_a_query_without_a_known_word_finds_nothing(index: TextIndex, query: str) -> None:
    hits = index.search(index.apply([MUGS], []).version, query_words(query, "us"), 3)
    assert (hits.height, hits.schema) == (0, dict.fromkeys(SHOWN, pl.String))


@pytest.mark.parametrize("few", [5_000, 1])
def test_a_search_among_some_keys_finds_them_alone(index: TextIndex, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr("warehouse.vectors.text_index._FEW_KEYS", few)
    better = [(f"A{number}", "Red mug", "") for number in range(20)]
    worse = [("B", "Red mug of glass", ""), ("C", "Large red mug of glass", "")]
    version = index.apply([rows(*better, *worse)], []).version
    among = {"us:C", "us:B", "us:gone"}
    assert index.search(version, ["red", "mug"], 1, "us", among)["key"].to_list() == ["us:B"]
    assert index.search(version, ["red", "mug"], 9, None, among)["key"].to_list() == ["us:B", "us:C"]
    assert index.search(version, ["unknown"], 9, None, among).is_empty()
    assert index.search(version, ["red"], 9, None, set()).is_empty()


def test_words_of_any_script_are_found_whole(index: TextIndex) -> None:
    products = rows(("A", "東京タワー", ""), ("B", "हिन्दी किताब", ""), ("C", "x" * 200, ""), ("D", "the", ""))
    version = index.apply([products], []).version
    for query, key in (("タワー", "us:A"), ("हिन्दी", "us:B"), ("x" * 200, "us:C"), ("the", "us:D")):
        assert found(index, version, query) == [key]
    assert found(index, version, "x" * 199) == found(index, version, "हिन्द") == []


def test_a_version_answers_as_it_was(index: TextIndex) -> None:
    first = index.apply([MUGS], []).version
    second = index.apply([rows(("A", "Green cup", ""))], ["us:B"]).version
    for _ in range(2):
        assert found(index, first, "mug red") == ["us:A", "us:B"]
        assert found(index, second, "mug red") == []
        assert index.read(first)["title"].to_list() == ["Red mug", "Blue mug", "Running shoe"]
        assert index.read(second)["title"].to_list() == ["Green cup", "Running shoe"]
    with pytest.raises(WarehouseError, match="version 99 of the table texts_1 does not exist"):
        index.search(99, ["mug"], 3)


def test_rows_outside_the_index_are_found(index: TextIndex) -> None:
    index.apply([MUGS], [])
    write = index.apply([rows(("D", "Green mug", "large")), rows(("E", "Green", "mug"))], [])
    assert index.index_status() == IndexStatus(rows=5, indexed=True, unindexed_rows=2, segments=1, files=3)
    assert sorted(found(index, write.version, "green mug")[:2]) == ["us:D", "us:E"]
    assert index.has(write.version)
    version = index.refresh_index()
    assert version > write.version
    assert index.index_status().unindexed_rows == 0
    assert sorted(found(index, version, "green mug")[:2]) == ["us:D", "us:E"]
    assert index.has_same_rows(write.version, version)
    assert not index.has_same_rows(write.version, index.apply([], ["us:D"]).version)


def test_an_index_that_has_every_row_stays_as_it_is(index: TextIndex) -> None:
    version = index.apply([MUGS], []).version
    assert index.refresh_index() == version == index.apply([], []).version
    index.apply([rows(("D", "Green mug", ""))], [])
    assert index.refresh_index(outside=1) == version + 1
    assert index.refresh_index() > version + 1


def test_many_files_are_joined(index: TextIndex) -> None:
    for number in range(4):
        index.apply([rows((f"P{number}", "Green mug", ""))], [])
    index.refresh_index(most_files=3)
    assert index.index_status().files <= 3
    assert sorted(found(index, index.version(), "green")) == ["us:P0", "us:P1", "us:P2", "us:P3"]


def test_an_index_that_a_kill_left_out_is_made_by_the_next_write(
    index: TextIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.vectors.text_index._make_index", lambda table: None)
        unfinished = index.apply([MUGS], []).version
    assert not index.has(unfinished)
    write = index.apply([], [])
    assert (write.upserted, index.has(write.version)) == (0, True)
    assert found(index, write.version, "blue") == ["us:B"]


def test_the_rows_of_some_keys_are_read(index: TextIndex) -> None:
    version = index.apply([MUGS], []).version
    read = index.rows(version, ["us:C", "us:gone", "us:A"]).sort("key")
    assert read.equals(MUGS.filter(pl.col("key").is_in(["us:A", "us:C"])).select(SHOWN))
    assert index.rows(version, []).schema == read.schema


def test_many_queries_find_what_each_finds_alone(index: TextIndex) -> None:
    titles = [
        f"{color} {thing} {number}" for number in range(7) for color in ("red", "blue") for thing in ("mug", "cup")
    ]
    products = [(f"P{number:02}", title, "for wine") for number, title in enumerate(titles)]
    version = index.apply([rows(*products), rows(*products[:5], locale="es")], []).version
    queries = [(query_words(title, "us")[:2], ("us", "es")[place % 2]) for place, title in enumerate(titles * 2)]
    queries[3:3] = [([], "us"), (["unknown"], "us")]
    assert len(queries) > 32  # more than are searched at once
    expected = [index.search(version, words, 30, locale)["key"].to_list() for words, locale in queries]
    assert index.search_all(version, queries, 30) == expected
    assert expected[3:5] == [[], []]
    assert index.search_all(version, [], 30) == []


def test_an_index_of_empty_bodies_is_searched_by_titles(index: TextIndex) -> None:
    version = index.apply([rows(("A", "Red mug", ""), ("B", "!!!", ""))], []).version
    assert index.has(version)
    assert found(index, version, "mug") == ["us:A"]


def test_a_version_stays_as_long_as_it_is_kept(index: TextIndex) -> None:
    first = index.apply([MUGS], []).version
    index.pin(first, "release-1")
    index.pin(first, "release-1")
    time.sleep(0.3)  # versions of one moment go together
    second = index.apply([rows(("A", "Green cup", ""))], []).version
    index.pin(second, "release-2")
    table = LanceDirectory(index._directory.root).open(TABLE)
    assert table is not None
    assert {tag: each["version"] for tag, each in table.tags.list().items()} == {
        "release-1": first,
        "release-2": second,
    }
    later = datetime.now(UTC) + timedelta(hours=1)
    index.prune([first, second], later)
    assert (index.has(first), index.has(second)) == (True, True)
    assert found(index, first, "red") == ["us:A", "us:B"]
    expected = index.prunable([second], later)
    assert expected > 0
    assert index.prune([second], later) >= expected
    assert (index.has(first), index.has(second)) == (False, True)
    assert found(index, second, "green") == ["us:A"]
    assert not index.has(99)


def test_young_versions_stay(index: TextIndex) -> None:
    first = index.apply([MUGS], []).version
    index.apply([rows(("A", "Green cup", ""))], [])
    early = datetime.now(UTC) - timedelta(hours=1)
    assert (index.prunable([], early), index.prune([], early), index.has(first)) == (0, 0, True)
