"""`stockroom search` for programs and for people."""

import json

import pytest

from orchestration.serving.hits import Hit
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
    monkeypatch.setattr(Searcher, "search", lambda *_, **_options: [hit])
    answer = stockroom("search", "case [/b]", "--home", built.home)
    assert answer.status == 0
    assert "Case [/Black] [red]sale" in answer.out
    assert "case [/b]" in answer.out
