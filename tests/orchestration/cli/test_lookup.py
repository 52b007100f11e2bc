"""`stockroom lookup` for programs and for people."""

import json

import pytest

from orchestration.cli import output
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings


@pytest.fixture(scope="module")
def keys(built):
    with open_home(load_settings(built.home)).lake.reading() as connection:
        rows = connection.sql("SELECT key FROM features.products ORDER BY key LIMIT 2").fetchall()
    return [key for (key,) in rows]


def test_json_is_a_list_of_features_in_the_order_of_the_keys(stockroom, built, keys):
    answer = stockroom("lookup", "product", *reversed(keys), "--json", "--home", built.home)
    rows = json.loads(answer.out)
    assert [row["key"] for row in rows] == keys[::-1]
    assert all({"title", "brand", "title_words", "completeness"} <= set(row) for row in rows)


def test_people_see_features_by_name(stockroom, built, keys):
    answer = stockroom("lookup", "product", keys[0], "--home", built.home)
    assert answer.status == 0
    for word in ("release 1", keys[0], "title_words", "completeness"):
        assert word in answer.out


def test_an_id_without_its_locale_is_told_the_key(stockroom, built, keys):
    answer = stockroom("lookup", "product", keys[0].partition(":")[2], "--home", built.home)
    assert answer.status == 1
    assert f"did you mean {keys[0]}" in answer.err


def test_keys_that_do_not_fit_side_by_side_come_one_below_the_other(stockroom, built, keys, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)
    lines = stockroom("lookup", "product", *keys, "--home", built.home).out.splitlines()
    assert [line for line in lines if line in keys] == keys
    assert max(map(len, lines)) <= 80


def test_an_unknown_key_exits_with_1_and_an_unknown_entity_with_2(stockroom, built, keys):
    answer = stockroom("lookup", "product", keys[0] + "Z", "--home", built.home)
    assert (answer.status, answer.out) == (1, "")
    assert f"no product '{keys[0]}Z'" in answer.err
    assert keys[0] in answer.err
    assert stockroom("lookup", "shop", keys[0], "--home", built.home).status == 2
