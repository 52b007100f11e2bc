"""Query features at search have the values of the lake, and need nothing that is unknown at search."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from warehouse.contracts.contract import Contract, about
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.tables.features import FeaturePairs
from warehouse.errors import WarehouseError
from warehouse.features import datasets, query_features
from warehouse.features.query_features import QueryFeatures, check_tower_inputs
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.settings import WarehouseSettings
from warehouse.transform.text_cleaning import clean_queries

COLUMNS = list(CONTRACTS["features.queries"].columns)
ESCI = Path(os.environ.get("ESCI_FOLDER", Path(__file__).parents[4] / "shared" / "esci"))


def stored(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    return connection.sql(f"SELECT {', '.join(COLUMNS)} FROM features.queries ORDER BY key").pl()


def compare(connection: duckdb.DuckDBPyConnection, one_by_one: int) -> None:
    """Compare the features of every query in the lake with those of a search, in one call and one by one."""
    vocabulary = connection.sql(tables.sql("datasets.vocabulary")).pl()
    queries = connection.sql("SELECT key, locale, query FROM staging.queries ORDER BY key").pl()
    offline, online = stored(connection), QueryFeatures(vocabulary)
    assert offline.height == queries.height > 0
    assert_frame_equal(online(queries), offline)
    some = queries.gather_every(max(1, queries.height // one_by_one))
    alone = pl.concat([online(some[row]) for row in range(some.height)])
    assert_frame_equal(alone, offline.join(some, on="key", how="semi", maintain_order="left"))


def test_a_search_computes_what_the_lake_holds(built: Lake) -> None:
    with built.reading() as connection:
        compare(connection, one_by_one=10)
        assert stored(connection)["query_brand"].to_list() == ["nike", None, None, None]


@pytest.mark.skipif(not ESCI.is_dir(), reason="the real data is not here")
def test_a_search_computes_what_the_lake_holds_of_real_queries(lake: Lake, build: Callable[[Lake, Path], Any]) -> None:
    lake = Lake(lake.root, WarehouseSettings(threads=1))
    build(lake, ESCI)
    with lake.reading() as connection:
        compare(connection, one_by_one=50)
        assert stored(connection)["has_brand"].sum() > 100


def test_the_answer_follows_the_queries_order_and_an_unknown_locale_is_null(built: Lake) -> None:
    features = QueryFeatures(datasets.vocabulary(built))
    queries = pl.DataFrame({"key": ["b", "a"], "locale": [None, "us"], "query": ["red nike", "no mug"]})
    rows = features(queries).select("key", "locale", "query_brand", "query_color", "has_negation").rows()
    assert rows == [("b", None, "nike", "red", False), ("a", "us", None, None, True)]


def test_words_are_cleaned_as_in_the_lake(built: Lake) -> None:
    features = QueryFeatures(datasets.vocabulary(built))
    row = {"key": ["q"], "locale": [None], "query": ["  ＮＩＫＥ <b>shoes</b> "]}
    typed = pl.LazyFrame(row, schema=dict.fromkeys(row, pl.String))
    assert features(clean_queries(typed).collect())["query_brand"].to_list() == ["nike"]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("    locale,\n", "    locale,\n    source,\n", "source"),
        ("    locale,\n", "    (select count(*) from staging.judgements) as locale,\n", "judgements"),
        ("    length(query) as query_chars,\n", "", "query_chars"),
    ],
)
def test_what_a_search_does_not_know_cannot_be_a_feature_of_queries(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, named: str
) -> None:
    sql = tables.sql("features.queries")
    assert before in sql
    monkeypatch.setattr(query_features.tables, "sql", lambda _table: sql.replace(before, after))
    with pytest.raises(WarehouseError, match=f"features.queries cannot be computed at search.*{named}"):
        check_tower_inputs()


def test_a_declared_column_that_the_sql_does_not_compute_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithSource(CONTRACTS["features.queries"].schema):  # type: ignore[misc,name-defined]
        """One row per query."""

        source = CONTRACTS["staging.queries"].columns["source"]

    monkeypatch.setattr(query_features, "CONTRACT", Contract("features.queries", WithSource))
    with pytest.raises(WarehouseError, match=r"cannot be computed at search.*source"):
        check_tower_inputs()


def test_a_feature_of_pairs_cannot_be_a_tower_input(monkeypatch: pytest.MonkeyPatch) -> None:
    column = FeaturePairs.columns()["text_score"]
    monkeypatch.setattr(column, "metadata", about("score of the words", tower="numeric"))
    contract = Contract("features.pairs", FeaturePairs)
    contract.__dict__["columns"] = {"text_score": column}
    monkeypatch.setitem(query_features.CONTRACTS, "features.pairs", contract)
    with pytest.raises(WarehouseError, match=r"features\.pairs\.text_score is declared a tower input"):
        check_tower_inputs()


def test_the_declarations_as_they_are_pass() -> None:
    check_tower_inputs()
