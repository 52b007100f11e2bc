"""The comparison: both sides are searches, and each product shows its place on the other side."""

import re
from html import unescape

import pytest


@pytest.fixture(scope="module")
def evaluated(live) -> str:
    """Return a test query that the evaluation has ranks of."""
    with live.home.lake.reading() as connection:
        return connection.execute("SELECT query FROM evaluation.rankings ORDER BY key LIMIT 1").fetchone()[0]


def keys_of(text):
    return [
        [unescape(key) for key in re.findall(r'<p class="title"><a href="/product/([^"]*)"', side)]
        for side in text.split('<section aria-labelledby="')[1:]
    ]


@pytest.mark.parametrize(("left", "right"), [("vector", "ranked"), ("text", "vector"), ("encoder", "vector")])
def test_each_side_is_a_search(client, live, evaluated, left, right):
    text = client.get("/compare", params={"q": evaluated, "left": left, "right": right}).text
    expected = [
        [hit.key.replace(":", "%3A") for hit in live.searcher().search(evaluated, 20, mode=mode)]
        for mode in (left, right)
    ]
    assert keys_of(text) == expected
    both = set(expected[0]) & set(expected[1])
    assert re.search(rf"{len(both)} products? on both sides", text)
    assert text.count("only here") == sum(len(side) - len(both) for side in expected)
    for target in re.findall(r'href="#((?:left|right)-\d+)"', text):
        assert f'id="{target}"' in text


def test_the_judged_products_have_the_ranks_of_the_evaluation(client, live, evaluated):
    text = client.get("/compare", params={"q": evaluated}).text
    with live.home.lake.reading() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM evaluation.rankings WHERE query = ?", [evaluated]
        ).fetchone()
    judged = text.split("Judged products of this query")[1]
    assert judged.count("<tr><td>") == count


def test_without_a_query_there_is_a_form(client):
    answer = client.get("/compare")
    assert answer.status_code == 200
    assert "aria-labelledby" not in answer.text


@pytest.mark.parametrize("parameters", [{"left": "best"}, {"q": "x", "where": "brand ="}, {"q": "x", "locale": "zz"}])
def test_what_cannot_be_compared_is_one_line(client, parameters):
    answer = client.get("/compare", params=parameters)
    assert answer.status_code == 400
    assert answer.text.count('role="alert"') == 1
