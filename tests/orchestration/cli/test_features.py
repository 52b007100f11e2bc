import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli import output
from warehouse.catalog import data_dictionary
from warehouse.contracts.registry import CONTRACTS
from warehouse.home import Home
from warehouse.lake import tables

Stockroom = Callable[..., Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that describes its features, and has two products."""
    home = tmp_path_factory.mktemp("described")
    with Home(home).lake.writing() as connection:
        data_dictionary.refresh(connection)
        tables.ensure(connection, CONTRACTS["features.products"])
        connection.execute("INSERT INTO features.products (key, title_words) VALUES ('us:A', 3), ('us:B', NULL)")
    return home


def test_lists_all_features_with_their_meaning(
    stockroom: Stockroom, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.console, "_width", 80)
    answer = stockroom("features", "--home", home)
    assert answer.status == 0
    products = answer.out.partition("features.products\n")[2].partition("features.queries\n")[0]
    assert "\ntitle_words " in products
    assert "\nmatched_share " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    as_json = json.loads(stockroom("features", "--home", home, "--json").out)
    listed = {each["feature"]: each["tower"] for each in as_json}
    assert listed["features.products.title_words"] == "numeric"
    assert listed["features.pairs.matched_share"] is None


def test_shows_one_with_its_values(stockroom: Stockroom, home: Path) -> None:
    answer = stockroom("features", "title_words", "--home", home)
    for line in ("INTEGER, never null", "warehouse/sql/features/products.sql", "2, 1 of them null, 1 distinct value"):
        assert line in answer.out
    as_json = json.loads(stockroom("features", "features.products.title_words", "--home", home, "--json").out)
    assert (as_json["rows"], as_json["nulls"], as_json["examples"]) == (2, 1, [3])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("title_word", "similar features: title_words"),
        ("locale", "give one of the full names: features.products.locale"),
    ],
)
def test_a_name_that_is_not_one_feature_fails_in_one_line(
    stockroom: Stockroom, home: Path, name: str, said: str
) -> None:
    answer = stockroom("features", name, "--home", home)
    assert (answer.status, answer.out) == (1, "")
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
