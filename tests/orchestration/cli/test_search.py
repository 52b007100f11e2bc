"""`stockroom search` for programs and for people."""

import json

import pytest

from orchestration.cli.search import value_text
from orchestration.serving.hits import Answer, Hit
from orchestration.serving.searcher import Searcher


def test_json_is_a_list_of_hits(stockroom, built):
    hits = json.loads(stockroom("search", "black tent", "-k", "3", "--json", "--home", built.home).out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    for hit in hits:
        assert list(hit) == ["rank", "key", "product_id", "locale", "title", "score", "same_title"]
        assert hit["key"] == f"{hit['locale']}:{hit['product_id']}"
        assert isinstance(hit["score"], float)
    assert sorted((hit["score"] for hit in hits), reverse=True) == [hit["score"] for hit in hits]


def test_ten_hits_by_default_and_of_one_locale_on_request(stockroom, built):
    hits = json.loads(stockroom("search", "tent", "--locale", "us", "--json", "--home", built.home).out)
    assert len(hits) == 10
    assert {hit["locale"] for hit in hits} == {"us"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((" ",), "the query is blank"), (("tent", "--locale", "xx"), "no products of locale 'xx'")],
)
def test_what_cannot_be_searched_exits_with_1(stockroom, built, arguments, message):
    answer = stockroom("search", *arguments, "--home", built.home)
    assert answer.status == 1
    assert message in answer.err
    assert answer.out == ""


def test_brackets_in_query_and_title_are_shown_as_they_are(stockroom, built, monkeypatch):
    hit = Hit(1, "us:P1", "P1", "us", "Case [/Black] [red]sale", 0.5)
    monkeypatch.setattr(Searcher, "answer", lambda *_, **_options: Answer([hit], (), 1))
    answer = stockroom("search", "case [/b]", "--home", built.home)
    assert answer.status == 0
    assert "Case [/Black] [red]sale" in answer.out
    assert "case [/b]" in answer.out


def test_facets_stand_below_the_hits(stockroom, built):
    answer = stockroom(
        "search", "tent", "-k", "1", "--facet", "locale, brand", "--facet", "completeness", "--home", built.home
    )
    lines = answer.out[answer.out.index("facets of the") :].splitlines()
    starts = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert starts == ["facets", "locale", "brand", "completeness"]
    assert "us (" in answer.out


def test_facets_in_json_have_the_filter_of_each_value(stockroom, built):
    answer = json.loads(stockroom("search", "tent", "-k", "1", "--facet", "locale", "--json", "--home", built.home).out)
    assert list(answer) == ["hits", "facets", "found", "rules", "corrections", "no_word_found"]
    (facet,) = answer["facets"]
    assert facet["column"] == "locale"
    assert {"value": "us", "where": "locale = 'us'"}.items() <= next(
        each for each in facet["values"] if each["value"] == "us"
    ).items()


def test_a_facet_of_no_column_names_the_near_ones(stockroom, built):
    answer = stockroom("search", "tent", "--facet", "brnd", "--home", built.home)
    assert answer.status == 1
    assert answer.err.startswith("error: products have no column 'brnd'; did you mean brand")


def test_a_query_that_the_encoder_cannot_read_is_named(stockroom, built):
    def said(*arguments):
        return " ".join(stockroom("search", *arguments, "--home", built.home).out.split())

    assert "reads 0% of the query, so words alone order the hits" in said("ワイヤレス")
    assert "reads 0% of the query, so the order says little" in said("ワイヤレス", "--mode", "vector")
    assert "of the query" not in said("black tent")


def test_columns_to_show_stand_below_the_title_and_as_values_in_json(stockroom, built):
    arguments = ("search", "tent", "-k", "1", "--show", "brand,title_chars", "--show", "locale", "--home", built.home)
    (hit,) = json.loads(stockroom(*arguments, "--json").out)
    assert list(hit["values"]) == ["brand", "title_chars", "locale"]
    shown = " ".join(stockroom(*arguments).out.split())
    assert f"title_chars {hit['values']['title_chars']}; locale {hit['locale']}" in shown


def test_a_search_that_finds_no_word_says_so(stockroom, built):
    assert "no product has a word of the query" in stockroom("search", "zzyzxq wvvkjh", "--home", built.home).out
    by_words_alone = stockroom("search", "zzyzxq wvvkjh", "--mode", "text", "--home", built.home).out
    assert "no product was found" in by_words_alone
    assert "by meaning" not in by_words_alone


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.1, "0.1"),
        (1234567.25, "1234567.25"),
        (True, "true"),
        (["a", "b"], "a, b"),
        ("x", "x"),
        (3, "3"),
    ],
)
def test_values_are_shown_as_people_read_them(value, text):
    assert value_text(value) == text
