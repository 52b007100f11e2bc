import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.sample import SampleSummary, write_clicks
from warehouse.sample.catalog import draw_catalog, product_id
from warehouse.sample.click_log import COLUMNS, LANGUAGE_TAGS
from warehouse.sample.clicks import CATALOG, LOG
from warehouse.sample.output_files import DEFAULT_BRAND_SEED
from warehouse.sample.queries import draw_queries

PRODUCTS, SEED = 1_500, 7
Sample = tuple[Path, SampleSummary]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    out = tmp_path_factory.mktemp("clicks")
    return out, write_clicks(out, PRODUCTS, SEED)


@pytest.fixture(scope="module")
def records(sample: Sample) -> list[dict[str, Any]]:
    with gzip.open(sample[0] / CATALOG, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_log(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / LOG, separator="\t", try_parse_dates=True).with_columns(pl.col("query").fill_null(""))


@pytest.fixture(scope="module")
def log(sample: Sample) -> pl.DataFrame:
    return read_log(sample[0])


def test_same_arguments_give_the_same_bytes(sample: Sample, tmp_path: Path) -> None:
    assert write_clicks(tmp_path, PRODUCTS, SEED) == sample[1]
    assert {path.name for path in tmp_path.iterdir()} == {CATALOG, LOG}  # and no unfinished file beside them
    for name in (CATALOG, LOG):
        assert (tmp_path / name).read_bytes() == (sample[0] / name).read_bytes()


def test_another_seed_gives_other_bytes(sample: Sample, tmp_path: Path) -> None:
    write_clicks(tmp_path, PRODUCTS, SEED + 1)
    for name in (CATALOG, LOG):
        assert (tmp_path / name).read_bytes() != (sample[0] / name).read_bytes()


def test_another_brand_seed_keeps_the_products_that_were_clicked(log: pl.DataFrame, tmp_path: Path) -> None:
    write_clicks(tmp_path, PRODUCTS, SEED, brand_seed=99)
    other = read_log(tmp_path)
    assert other.drop("query").equals(log.drop("query"))


def test_summary_counts_what_the_files_hold(sample: Sample, records: list[dict[str, Any]], log: pl.DataFrame) -> None:
    assert sample[1].rows == {CATALOG: len(records), LOG: log.height}
    assert sample[1].events == {"shown": log.height} | {name: log[name].sum() for name in COLUMNS[-3:]}


def test_a_record_has_nested_fields(records: list[dict[str, Any]]) -> None:
    keys = {(record["id"], record["lang"].lower().replace("_", "-")) for record in records if record["id"]}
    assert len(keys) == PRODUCTS
    assert {record["attributes"].get("color") for record in records} > {None, "Red"}
    assert {record["price"]["currency"] for record in records if record["price"]} == {"USD", "EUR", "JPY"}
    assert all(float(record["price"]["amount"]) > 0 for record in records if record["price"])
    assert all(len(record["categories"]) == 3 for record in records)


def test_the_log_is_in_the_order_of_time(log: pl.DataFrame) -> None:
    assert tuple(log.columns) == COLUMNS
    assert log["time"].is_sorted()
    assert log["time"].dtype == pl.Datetime
    assert set(log["lang"]) <= set(LANGUAGE_TAGS)


def test_a_session_shows_each_product_once_from_the_first_place_down(log: pl.DataFrame) -> None:
    once = log.unique(maintain_order=True)
    places = once.group_by("session").agg("position", pl.col("time", "query", "lang").n_unique())
    assert places.select(pl.col("time", "query", "lang").max()).row(0) == (1, 1, 1)
    assert all(each == list(range(1, len(each) + 1)) for each in places["position"].list.sort().to_list())


def test_what_is_ordered_was_in_the_cart_and_what_was_in_the_cart_was_clicked(log: pl.DataFrame) -> None:
    assert log.filter(pl.col("ordered") > pl.col("added_to_cart")).is_empty()
    assert log.filter(pl.col("added_to_cart") > pl.col("clicked")).is_empty()


def test_clicks_follow_the_labels_and_the_place(log: pl.DataFrame) -> None:
    codes = draw_catalog(PRODUCTS, SEED)
    labels = pl.DataFrame(
        [
            (LANGUAGE_TAGS[query.locale], query.text, product_id(int(codes.item[row])), label)
            for query in draw_queries(codes, SEED, DEFAULT_BRAND_SEED)
            for row, label in zip(query.rows, query.labels, strict=True)
        ],
        schema=["lang", "query", "sku", "label"],
        orient="row",
    )
    labeled = log.with_columns(pl.col("query").str.to_lowercase()).join(labels, on=["lang", "query", "sku"])
    rate = pl.col("clicked").mean()
    by_label = dict(labeled.group_by("label").agg(rate).iter_rows())
    assert by_label["E"] > 2 * by_label["S"] > 2 * by_label["I"] > 0
    by_place = dict(labeled.filter(pl.col("label") == "E").group_by("position").agg(rate).iter_rows())
    assert by_place[1] > 1.5 * by_place[4] > 1.5 * by_place[9] > 0


def test_defects_are_found_as_counted(sample: Sample, records: list[dict[str, Any]], log: pl.DataFrame) -> None:
    defects = sample[1].defects
    ids = [record["id"] for record in records if record["id"]]
    once = log.unique(maintain_order=True)
    sessions = once.group_by("session").agg(
        (pl.col("query") == "").all().alias("blank"), (pl.col("clicked") == 1).all().alias("clicks_all"), pl.len()
    )
    assert once.filter(~pl.col("sku").is_in(ids)).height == defects["unknown_product"]
    assert log.height - once.height == defects["repeated_row"]
    assert sessions["blank"].sum() == defects["blank_query"]
    long = sessions.filter("clicks_all", pl.col("len") > 5).height  # a shopper clicks all of a short page now and then
    assert 0 < long <= defects["robot_session"] <= sessions["clicks_all"].sum()
    assert sum(record["price"] is None for record in records) == defects["price_missing"]
    assert sum("_" in record["lang"] for record in records) == defects["language_spelled_otherwise"]
    assert all(count > 0 for count in defects.values())


def test_the_smallest_sample_can_be_written(tmp_path: Path) -> None:
    write_clicks(tmp_path, 1, 1)
    assert (tmp_path / LOG).read_text(encoding="utf-8").startswith("\t".join(COLUMNS) + "\n")
