"""The client gives what the searcher gives, is patient with a busy service, and raises the service's own words."""

from datetime import UTC, datetime

import httpx
import pytest

from orchestration.serving import Client
from warehouse.errors import UnknownKeyError, WarehouseError

ROW = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}


class Through(httpx.BaseTransport):
    """Pass requests on to the service of this process."""

    def __init__(self, app) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        passed = self._app.request(
            request.method, request.url.raw_path.decode(), content=request.content, headers=dict(request.headers)
        )
        return httpx.Response(passed.status_code, headers=dict(passed.headers), content=passed.content)


@pytest.fixture
def asked(client):
    with Client("http://localhost", transport=Through(client)) as asked:
        yield asked


def test_answers_are_those_of_the_searcher(asked, live):
    searcher = live.searcher()
    answer = asked.search("office chair", 3, facets=["brand"], explain=True)
    own = searcher.answer("office chair", 3, facets=["brand"], explain=True)
    assert (answer.release, answer.found, answer.facets) == (searcher.release.release, own.found, own.facets)
    assert [hit.to_dict() for hit in answer.hits] == [hit.to_dict() for hit in own.hits]
    assert (answer.no_word_found, asked.search("zzyzxq wvvkjh", 1).no_word_found) == (False, True)
    assert asked.search("office chair", 2, show=["brand"]).hits == searcher.search("office chair", 2, show=["brand"])
    key = own.hits[0].key
    assert asked.similar(key, 2, show=["brand"]) == searcher.similar(key, 2, show=["brand"])
    (row,) = live.lookup().products([key])
    assert asked.features(key) == {name: value for name, value in row.items() if name != "key"}
    assert asked.suggest(own.hits[0].title[:5])
    assert asked.release() == searcher.release.release


def test_a_refusal_is_told_in_the_words_of_the_service(asked):
    with pytest.raises(WarehouseError, match="has no products of locale 'xx'\n  it has"):
        asked.search("chair", locale="xx")
    with pytest.raises(WarehouseError, match="reads no time-series features"):
        asked.search("chair", at=datetime(2022, 6, 14, tzinfo=UTC))
    with pytest.raises(UnknownKeyError, match="has no product 'us:a/b'"):
        asked.similar("us:a/b")


def scripted(*answers):
    """Return a transport that gives one answer after the other, and the requests that it got."""
    left, got = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        each = left.pop(0)
        if isinstance(each, Exception):
            raise each
        return each

    return httpx.MockTransport(answer), got


def test_a_busy_or_absent_service_is_asked_again(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    done = httpx.Response(200, json={"id": "1", "state": "applied", "name": "a.jsonl", "release": 2, "newer": True})
    busy = httpx.Response(503, headers={"retry-after": "1"}, json={"detail": "too many", "hint": "later"})
    transport, got = scripted(httpx.ConnectError("no"), busy, done)
    with Client("http://shop", "secret-0123456789", transport=transport) as client:
        assert client.apply([ROW]).release == 2
    assert [request.method for request in got] == ["POST"] * 3
    assert {request.headers["authorization"] for request in got} == {"Bearer secret-0123456789"}
    assert pauses == [0.1, 1.0]


def test_a_service_that_stays_away_is_told(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    transport, got = scripted(*[httpx.ConnectError("no")] * 2)
    with (
        Client("http://shop", attempts=2, transport=transport) as client,
        pytest.raises(WarehouseError, match="no answer from http://shop: ConnectError"),
    ):
        client.release()
    assert len(got) == 2


def test_an_answer_that_is_no_problem_is_told():
    transport, _ = scripted(httpx.Response(418, text="a teapot"))
    with Client("http://shop", transport=transport) as client, pytest.raises(WarehouseError, match="answered 418"):
        client.release()
