"""Datasets: the frames that the model and the index read from the lake."""

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets
from warehouse.lake import tables
from warehouse.vectors.text_index import COLUMNS


@pytest.fixture
def filled(built):
    return built


def test_products_come_by_locale_and_id_with_their_features(filled):
    products = datasets.products(filled)
    assert products["key"].to_list() == ["es:P1", "jp:P3", "us:P1", "us:P2"]
    assert products["title"].to_list()[2:] == ["Nike Running Shoes 42", "Plain Mug"]
    assert products["title_numbers"].to_list() == [0, 0, 1, 0]
    expected = {
        "product_id",
        "locale",
        "brand",
        "color",
        "feature_hash",
        *CONTRACTS["features.products"].tower_columns("numeric"),
    }
    assert expected <= set(products.columns)


def test_queries_come_with_text_and_features(filled):
    queries = datasets.queries(filled)
    assert queries.select("key", "query_id", "query", "query_words").rows() == [
        ("es:3", 3, "zapatillas nike", 2),
        ("jp:4", 4, "ナイキ", 1),
        ("us:1", 1, "running shoes", 2),
        ("us:2", 2, "mug without handle", 3),
    ]


def test_some_are_read_as_they_are_read_among_all(filled):
    wanted_keys = pl.DataFrame({"key": ["us:P2", "es:P1", "us:2", "no:such"]})
    for read in (datasets.products, datasets.queries):
        among_all = read(filled).join(wanted_keys, on="key", how="semi", maintain_order="left")
        assert among_all.height
        assert read(filled, keys=wanted_keys).equals(among_all)
    for read in (datasets.texts, datasets.text_hashes):
        among_all = read(filled).join(wanted_keys, on="key", how="semi").sort("key")
        assert among_all["key"].to_list() == ["es:P1", "us:P2"]
        assert read(filled, keys=wanted_keys).sort("key").equals(among_all)
    assert datasets.products(filled, keys=wanted_keys.clear()).is_empty()


def test_the_rows_of_the_text_index_are_those_of_staging(filled):
    texts = datasets.texts(filled).sort("key")
    assert texts.columns == list(COLUMNS)
    assert texts.drop("input_hash").rows()[2:] == [
        (
            *("us:P1", "P1", "us", "Nike Running Shoes 42", "Nike", "Red"),
            *("nike run shoe 42 nike red", "mesh foam light fast", ""),
        ),
        ("us:P2", "P2", "us", "Plain Mug", None, None, "plain mug", "", ""),
    ]
    assert datasets.text_hashes(filled).sort("key").equals(texts.select("key", "input_hash"))
    assert texts["input_hash"].str.len_chars().to_list() == [16] * 4
    assert texts["input_hash"].n_unique() == 4


def test_train_judgements_are_those_of_the_train_split(filled):
    pairs = datasets.training_pairs(filled).filter(split="train")
    judgements = datasets.train_judgements(filled)
    assert judgements.height == pairs.height > 0
    assert set(judgements.select("query_key", "product_key", "label").rows()) == set(
        pairs.select("query_key", "product_key", "label").rows()
    )


def test_training_sees_nothing_of_test(filled):
    pairs = datasets.training_pairs(filled)
    assert set(pairs["split"]) <= {"train", "validation"}
    assert sorted(pairs["query_key"].unique()) == ["es:3", "jp:4", "us:1"]
    assert datasets.task1_judgements(filled).select("query_key", "product_key", "label").rows() == [
        ("us:2", "us:P2", "E")
    ]


def test_task_1_is_the_reduced_set_only(lake, build, write, judgements):
    for row in judgements:
        row["small_version"] = 0
    build(lake, write(judgements=judgements))
    assert datasets.task1_judgements(lake).is_empty()


def test_a_snapshot_is_read_as_it_was(filled, build, write, products):
    before, then = datasets.products(filled), filled.snapshot()
    build(filled, write(products=products[:2]))
    assert datasets.products(filled).height == 2
    assert datasets.products(filled, then).equals(before)


def test_metrics_of_a_model_that_was_not_measured_are_empty(filled):
    assert datasets.metrics(filled, "m1").is_empty()
    with filled.writing() as connection:
        tables.ensure(connection, CONTRACTS["evaluation.metrics"])
        connection.execute(
            "INSERT INTO evaluation.metrics BY NAME SELECT 'k' AS key, 'm1' AS model_id, 'all' AS locale, 'all' AS slice, "
            "'all' AS part, 'model' AS ranker, 'ndcg' AS metric, 0.5 AS value, 3 AS queries, 'i' AS inputs"
        )
    assert datasets.metrics(filled, "m2").is_empty()
    assert datasets.metrics(filled, "m1").select("ranker", "metric", "value", "inputs").rows() == [
        ("model", "ndcg", 0.5, "i")
    ]


def test_a_few_titles_of_each_locale_come_by_key(filled):
    whole = datasets.sampled_titles(filled, 9)
    assert sorted(whole["locale"]) == ["es", "jp", "us", "us"]
    few = datasets.sampled_titles(filled, 1)
    assert sorted(few["locale"]) == ["es", "jp", "us"]
    assert few.sort("locale").equals(datasets.sampled_titles(filled, 1).sort("locale"))
    assert few.join(whole, on=["locale", "title"], how="anti").is_empty()
