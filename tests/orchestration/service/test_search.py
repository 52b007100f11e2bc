"""`GET /search` answers as the searcher does, and refuses what it cannot answer with a problem."""

import pytest

PROBLEM = "application/problem+json"
QUERY = "office chair"


def test_an_answer_is_that_of_the_searcher_and_names_its_release(client, live):
    answer = client.get("/search", params={"q": QUERY, "k": 3}).json()
    hits = live.searcher().search(QUERY, 3)
    assert [hit["key"] for hit in answer["hits"]] == [hit.key for hit in hits]
    assert [hit["score"] for hit in answer["hits"]] == pytest.approx([hit.score for hit in hits])
    assert answer["release"] == live.searcher().release.release


def test_pages_continue_each_other(client):
    both = client.get("/search", params={"q": QUERY, "k": 6}).json()["hits"]
    pages = [client.get("/search", params={"q": QUERY, "k": 3, "page": page}).json()["hits"] for page in (1, 2)]
    assert [hit["key"] for hit in pages[0] + pages[1]] == [hit["key"] for hit in both]
    assert [hit["rank"] for hit in pages[1]] == [4, 5, 6]


@pytest.mark.parametrize("mode", ["ranked", "vector", "text", "encoder"])
def test_every_mode_answers(client, mode):
    assert client.get("/search", params={"q": QUERY, "mode": mode}).json()["hits"]


def test_facets_filter_and_explanation(client):
    answer = client.get("/search", params={"q": QUERY, "facets": "brand, color", "explain": True}).json()
    assert [facet["column"] for facet in answer["facets"]] == ["brand", "color"]
    assert answer["hits"][0]["explanation"]["found_by"]
    value = answer["facets"][0]["values"][0]
    kept = client.get("/search", params={"q": QUERY, "where": value["where"], "facets": "brand"}).json()
    assert [each["value"] for each in kept["facets"][0]["values"]] == [value["value"]]


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({}, "q is missing"),
        ({"q": " \t "}, "the query is blank"),
        ({"q": [QUERY, "desk"]}, "q is given several times"),
        ({"q": QUERY, "k": [1, 2], "facets": ["brand", "color"]}, "k is given several times"),
        ({"q": "chair\x00"}, "q must have no control characters"),
        ({"q": "chair\x1b[31m"}, "q must have no control characters"),
        ({"q": "x" * 2_001}, "at most 2000 characters"),
        ({"q": QUERY, "k": 0}, "k must be at least 1"),
        ({"q": QUERY, "k": 10**9}, "k must be at most 1000"),
        ({"q": QUERY, "k": "many"}, "k must be a whole number"),
        ({"q": QUERY, "k": 500, "page": 3}, "page 3 of 500 products is beyond the first 1,000"),
        ({"q": QUERY, "mode": "best"}, "mode must be 'ranked', 'vector', 'text' or 'encoder'"),
        ({"q": QUERY, "facet": "brand"}, "facet is not known"),
        ({"q": QUERY, "facets": "smell"}, "smell"),
        ({"q": QUERY, "at": "2022-06-14T12:00:00Z"}, "reads no time-series features of queries or contexts"),
        ({"q": QUERY, "context": "us:s1"}, "reads no time-series features of queries or contexts"),
        ({"q": QUERY, "at": "yesterday"}, "at"),
        ({"q": QUERY, "locale": "xx"}, "has no products of locale 'xx'"),
        ({"q": QUERY, "locale": "../../etc"}, "has no products of locale '../../etc'"),
        ({"q": QUERY, "where": "1 = 1; DROP TABLE features.products"}, "cannot be parsed"),
        ({"q": QUERY, "where": "brand = (SELECT title FROM staging.products)"}, "does not only compare"),
        ({"q": QUERY, "where": "brand = 'a') OR (1 = 1"}, "the filter"),
        ({"q": QUERY, "where": "read_text('/etc/passwd') = 'a'"}, "does not only compare"),
    ],
)
def test_what_cannot_be_answered_is_told(client, given, detail):
    refused = client.get("/search", params=given)
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    told = refused.json()
    assert detail in told["detail"]
    assert told["hint"]
    assert client.get("/search", params={"q": QUERY}).status_code == 200


def test_markup_in_a_query_is_text(client):
    assert client.get("/search", params={"q": "<script>alert(1)</script> chair"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/search", 405), ("GET", "/../etc/passwd", 404)]
)
def test_unknown_paths_and_methods_are_problems_too(client, method, path, status):
    refused = client.request(method, path)
    assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM)
    assert refused.json()["status"] == status


def test_a_query_that_is_far_too_long_is_refused_before_it_is_read(client):
    refused = client.get(f"/search?q={'x' * 60_000}")
    assert (refused.status_code, refused.headers["content-type"]) == (414, PROBLEM)
    assert refused.headers["connection"] == "close"
