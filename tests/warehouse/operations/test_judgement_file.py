"""A separate examples file is read by the rules of the lake's judgements."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.operations.judgement_file import read_examples

CATALOG = pl.Series(["us:P1", "us:P2", "es:P1"])


@pytest.fixture
def read(write, judgement):
    """Return a function that reads rows of (query, query_id, product_id, locale, label) from an examples file."""

    def rows(*given, catalog=CATALOG):
        judgements = [
            judgement(place, query, query_id, product, locale, label, "train")
            for place, (query, query_id, product, locale, label) in enumerate(given)
        ]
        return read_examples(write(judgements=judgements) / "shopping_queries_dataset_examples.parquet", catalog)

    return rows


def test_judgements_of_known_products_are_kept_with_cleaned_queries(read):
    read_ = read(("<b>Red</b> &amp;  blue", 7, "P1", "us", "E"), ("taza", 7, "P1", "es", "I"))
    assert read_.judgements.rows() == [("us", 7, "Red & blue", "P1", "E"), ("es", 7, "taza", "P1", "I")]
    assert read_.judgements.columns == ["locale", "query_id", "query", "product_id", "label"]
    assert (read_.missing, read_.refused) == ([], {})


def test_products_that_the_catalog_has_not_are_named_once_each_by_locale(read):
    read_ = read(
        ("mug", 1, "P9", "us", "E"),
        ("cup", 2, "P9", "us", "E"),
        ("taza", 3, "P2", "es", "E"),
        ("mug", 1, "P1", "us", "E"),
    )
    assert read_.missing == ["es:P2", "us:P9"]
    assert read_.judgements["product_id"].to_list() == ["P1"]


def test_bad_rows_are_counted_by_rule(read):
    read_ = read(
        ("mug", 1, "P1", "us", "X"),
        (" ", 2, "P1", "us", "E"),
        ("mug", 3, "", "us", "E"),
        ("<br>", 4, "P1", "us", "E"),
        ("mug", 5, "P1", "us", "S"),
    )
    assert read_.refused == {"product_id_empty": 1, "query_blank": 1, "query_missing": 1, "unknown_label": 1}
    assert read_.judgements["query_id"].to_list() == [5]
    assert read_.missing == []


def test_of_equal_keys_the_first_good_row_stays(read):
    read_ = read(
        ("mug", 1, "P1", "us", "X"),
        ("mug", 1, "P1", "us", "S"),
        ("mug", 1, "P1", "us", "E"),
    )
    assert read_.judgements["label"].to_list() == ["S"]
    assert read_.refused == {"duplicate_key": 1, "unknown_label": 1}


def test_of_two_texts_of_a_query_the_smallest_example_id_decides(read):
    read_ = read(("mug", 1, "P2", "us", "E"), ("cup", 1, "P1", "us", "E"))
    assert set(read_.judgements["query"]) == {"mug"}


def test_a_file_that_is_not_there_or_lacks_a_column_is_named(tmp_path):
    with pytest.raises(WarehouseError, match=r"mine\.parquet is missing"):
        read_examples(tmp_path / "mine.parquet", CATALOG)
    pl.DataFrame({"query": ["mug"]}).write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(WarehouseError, match=r"mine\.parquet has no column"):
        read_examples(tmp_path / "mine.parquet", CATALOG)
    (tmp_path / "mine.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WarehouseError, match="git-lfs pointer"):
        read_examples(tmp_path / "mine.parquet", CATALOG)


def test_a_judgement_of_the_future_is_refused_as_it_is_in_a_build(write, judgements):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    path = write(judgements=judgements) / "shopping_queries_dataset_examples.parquet"
    times = pl.Series([now, now + timedelta(seconds=1), None, None, None])
    pl.read_parquet(path).with_columns(event_time=times).write_parquet(path)
    read_ = read_examples(path, CATALOG, now)
    assert read_.refused == {"event_time_in_future": 1}
    assert read_.judgements.height == 3  # the fifth is of a product that the catalog has not


def test_a_file_of_another_format_is_named_by_its_ending(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("example_id,query\n1,mug\n")
    with pytest.raises(WarehouseError, match=rf"^{path} is a \.csv file, not parquet\n"):
        read_examples(path, CATALOG)
    path.unlink()
    path.mkdir()
    with pytest.raises(WarehouseError, match=f"^{path} is a folder, not a file\n"):
        read_examples(path, CATALOG)


def test_parquet_may_have_any_ending(write, judgement, tmp_path):
    folder = write(judgements=[judgement(1, "mug", 1, "P1", "us", "E", "train")])
    path = (folder / "shopping_queries_dataset_examples.parquet").rename(tmp_path / "mine.csv")
    assert read_examples(path, CATALOG).judgements.height == 1
