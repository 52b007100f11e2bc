"""Kept rows are found by key and by address."""

from pathlib import Path

import polars as pl
import pytest

from warehouse.vectors import kept_rows
from warehouse.vectors.kept_rows import ROW_ID, KeptRows
from warehouse.vectors.text_index import COLUMNS, TextIndex


def rows_of(count: int) -> pl.DataFrame:
    """Return rows of the text index, each with a word of its own and words that others have."""
    numbers = pl.int_range(count, eager=True).cast(pl.String)
    texts = {
        "key": "us:" + numbers,
        "product_id": numbers,
        "locale": pl.repeat("us", count, eager=True),
        "title": "title " + numbers,
        "title_words": "lamp w" + numbers,
        "body_words": pl.select(
            pl.when(pl.int_range(count) % 2 == 0).then(pl.lit("red")).otherwise(pl.lit("blue"))
        ).to_series(),
        "input_hash": numbers,
    }
    return (
        pl.DataFrame(texts)
        .with_columns(brand=pl.lit(None, pl.String), color=pl.lit("red"), amounts=pl.lit(""))
        .select(COLUMNS)
    )


def test_rows_come_in_the_order_of_the_keys_or_addresses() -> None:
    kept = KeptRows(pl.DataFrame({"key": ["b", "c", "a"], ROW_ID: pl.Series([7, 1 << 40, 3], dtype=pl.UInt64)}))
    assert kept.by_key(["c", "gone", "a"])["key"].to_list() == ["c", "a"]
    assert kept.by_id([1 << 40, 3, 7])["key"].to_list() == ["c", "a", "b"]
    assert kept.by_key([]).columns == ["key"]


def test_a_search_finds_the_same_with_its_rows_in_memory(tmp_path: Path) -> None:
    version = _written(tmp_path)
    plain, opened = TextIndex(tmp_path), TextIndex(tmp_path)
    assert opened.open(version) is not None
    for words in (["lamp", "red"], ["w17"], ["nothing"], []):
        for among in (None, {"us:1", "us:2", "us:400"}):
            found = plain.search(version, words, 10, "us", among)
            assert opened.search(version, words, 10, "us", among).equals(found)
    keys = ["us:5", "us:3", "us:gone"]
    assert opened.rows(version, keys).sort("key").equals(plain.rows(version, keys).sort("key"))


def test_a_large_table_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version, index = _written(tmp_path), TextIndex(tmp_path)
    monkeypatch.setattr(kept_rows, "MOST_ROWS", 10)
    assert index.open(version) is None
    assert index.search(version, ["lamp"], 5, "us").height == 5


def _written(root: Path) -> int:
    return TextIndex(root).apply([rows_of(60)], []).version
