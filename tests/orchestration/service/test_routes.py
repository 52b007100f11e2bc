"""Lookups, neighbors, suggestions, releases, health and metrics."""

import re

import pytest

from warehouse.errors import UnknownKeyError

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def key(live) -> str:
    """The key of some product."""
    return live.searcher().search("chair", 1)[0].key


def test_similar_products_are_those_of_the_searcher(client, live, key):
    answer = client.get(f"/similar/{key}", params={"k": 3}).json()
    assert [hit["key"] for hit in answer["hits"]] == [hit.key for hit in live.searcher().similar(key, 3)]
    assert answer["release"] == live.searcher().release.release


def test_features_are_those_of_the_lookup(client, live, key):
    answer = client.get(f"/features/product/{key}").json()
    (row,) = live.lookup().products([key])
    assert {"key": answer["key"], **answer["features"]} == row


@pytest.mark.parametrize("path", ["/similar/{}", "/features/product/{}", "/features/query/{}"])
@pytest.mark.parametrize(
    "bad", ["us:nothing", "us:..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "us:'; DROP TABLE x--", "☃"]
)
def test_an_unknown_key_is_not_found_whatever_it_looks_like(client, path, bad):
    refused = client.get(path.format(bad))
    assert (refused.status_code, refused.headers["content-type"]) == (404, PROBLEM)
    assert refused.json()["hint"]


def test_the_error_of_an_unknown_key_is_one_of_its_own(live):
    with pytest.raises(UnknownKeyError):
        live.lookup().products(["us:nothing"])


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/features/shop/us:1", "entity must be 'product' or 'query'"),
        ("/features/product/us:%00", "control characters"),
        (f"/similar/{'x' * 600}", "at most 500 characters"),
        ("/similar/us:1?k=0", "k must be at least 1"),
        ("/suggest?q=" + "x" * 300, "at most 200 characters"),
        ("/releases?limit=0", "limit must be at least 1"),
    ],
)
def test_what_cannot_be_used_is_told(client, path, detail):
    refused = client.get(path)
    assert refused.status_code == 422
    assert detail in refused.json()["detail"]


def test_a_time_without_time_series_is_told(client, key):
    refused = client.get(f"/features/product/{key}", params={"at": "2024-05-01"})
    assert refused.status_code == 422
    assert "no time-series" in refused.json()["detail"]


def test_suggestions_complete_queries_first_then_titles(client, live):
    with live.home.lake.reading() as connection:
        (query, locale), *_ = connection.execute("SELECT query, locale FROM staging.queries ORDER BY ALL").fetchall()
        (title,), *_ = connection.execute("SELECT title FROM staging.products ORDER BY ALL").fetchall()
    found = client.get("/suggest", params={"q": query[:4].upper(), "k": 50, "locale": locale}).json()["suggestions"]
    assert {"text": query, "kind": "query", "locale": locale} in found
    assert all(each["text"].casefold().startswith(query[:4].casefold()) for each in found)
    assert [each["kind"] for each in found] == sorted((each["kind"] for each in found), key=["query", "title"].index)
    assert title in {each["text"] for each in client.get("/suggest", params={"q": title}).json()["suggestions"]}
    assert client.get("/suggest", params={"q": "zzzzzz"}).json()["suggestions"] == []


def test_releases_are_listed(client, live):
    answer = client.get("/releases").json()
    assert [each["release"] for each in answer["releases"]] == [each.release for each in live.home.releases.all()[::-1]]
    assert answer["release"] == live.served().release.release


def test_health_tells_that_no_process_applies_deltas(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "release": 1, "takes_deltas": False}


def test_metrics_count_requests_by_route_and_searches_by_stage(client, key):
    client.get("/search", params={"q": "chair", "facets": "brand"})
    client.get(f"/similar/{key}")
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    text = told.text
    for stage in ("words", "encode", "text", "vector", "rank", "facets"):
        assert re.search(rf'^stockroom_search_stage_seconds_count{{stage="{stage}"}} [1-9]', text, re.MULTILINE)
    assert 'route="/similar/{key:path}"' in text
    assert key not in text
    for name in ("release", "release_age_seconds", "deltas_waiting", 'rows_outside_index{index="vector"}'):
        assert re.search(rf"^stockroom_{re.escape(name)} [\d.e+]+$", text, re.MULTILINE)


def test_an_answer_has_the_id_of_its_request(client):
    assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    refused = client.get("/nothing", headers={"x-request-id": "<not one>"})
    assert re.fullmatch("[0-9a-f]{32}", refused.headers["x-request-id"])
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_no_page_of_another_host_is_needed(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").json()["info"]["title"] == "Stockroom"
