"""Feedback: kept only where it is asked for, and read as a source of clicks."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from orchestration.config.serve import ServeSettings
from orchestration.service import problems
from orchestration.service.feedback import FeedbackLog
from orchestration.service.limits import Workers
from orchestration.service.routes import feedback
from warehouse.errors import WarehouseError

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "serve.md"
CLICK = {"key": "us:B1", "event": "click", "position": 1}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def keeping(home):
    """Return what makes a client of the route alone, with some settings."""

    def make(**given):
        app, settings = FastAPI(), ServeSettings(**{"feedback": True} | given)
        problems.install(app)
        app.include_router(
            feedback.router(SimpleNamespace(home=SimpleNamespace(root=home)), Workers(settings), settings)
        )
        return TestClient(app)

    return make


def kept(home):
    return [json.loads(line) for file in (home / "feedback").glob("*.jsonl") for line in file.read_text().splitlines()]


def test_nothing_is_kept_unless_asked_for(client, built):
    refused = client.post("/feedback", json={"query": "chair", "events": [CLICK]})
    assert refused.status_code == 403
    assert "STOCKROOM_SERVE__FEEDBACK" in refused.json()["hint"]
    assert not (built.home / "feedback").exists()


def test_the_settings_reach_the_page(client, serving):
    asked = {"q": "office chair"}
    page, told = client.get("/", params=asked), serving(feedback=True, show_images=True).get("/", params=asked)
    assert "data-feedback" not in page.text
    assert 'data-feedback="/feedback" data-query="office chair"' in told.text
    assert "img-src" not in page.headers["content-security-policy"]
    assert "img-src 'self' https:" in told.headers["content-security-policy"]


def test_events_are_kept_without_a_word_of_who_it_was(keeping, home):
    shown = {"key": "en_US:B2", "event": "impression"}
    assert keeping().post("/feedback", json={"query": "Büro chair", "events": [CLICK, shown]}).json() == {"kept": 2}
    first, second = kept(home)
    assert set(first) == {"query", "locale", "product_id", "event", "event_time", "position"}
    assert (first["query"], first["locale"], first["product_id"], first["event"]) == ("Büro chair", "us", "B1", "click")
    assert (second["locale"], second["position"]) == ("en-us", None)


@pytest.mark.parametrize(
    "body",
    [
        {"query": "chair", "events": []},
        {"query": "", "events": [CLICK]},
        {"query": "chair", "events": [CLICK | {"event": "glance"}]},
        {"query": "chair", "events": [CLICK | {"key": "B1"}]},
        {"query": "chair", "events": [CLICK | {"key": "us:B\n1"}]},
        {"query": "chair", "events": [CLICK, CLICK | {"key": "us:"}]},
        {"query": "chair", "events": [CLICK | {"position": 0}]},
        {"query": "chair", "events": [CLICK] * 1_001},
        {"query": "chair", "events": [CLICK], "visitor": "me"},
    ],
)
def test_what_no_source_could_read_is_refused_whole(keeping, home, body):
    refused = keeping().post("/feedback", json=body)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert not (home / "feedback").exists()


def test_a_full_folder_takes_no_more(home):
    log = FeedbackLog(home, most_mb=0.0001)
    log.keep("chair", [("us:B1", "click", 1)])
    with pytest.raises(WarehouseError, match=r"has reached 0\.0001 MB"):
        log.keep("chair", [("us:B1", "click", 1)])
    assert len(kept(home)) == 1


def test_the_source_of_the_guide_makes_judgements_of_it(keeping, home, stockroom):
    (home / "products.csv").write_text("id,title\nB1,Oak chair\nB2,Oak table\n")
    (source,) = (
        block for block in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if "feedback/" in block
    )
    products = (
        '[[source]]\nkind = "products"\nfiles = ["products.csv"]\ncolumns = { product_id = "id", title = "title" }\n'
    )
    (home / "stockroom.toml").write_text(f"{products}\n{source}")
    seen = {"key": "us:B2", "event": "impression"}
    for _ in range(10):
        keeping().post("/feedback", json={"query": "chair", "events": [seen, seen | {"key": "us:B1"}]})
    for _ in range(3):
        keeping().post("/feedback", json={"query": "chair", "events": [CLICK]})
    answer = stockroom("check", "--home", home)
    assert answer.status == 0, answer.err
    assert "2 pairs of query and product counted: 1 Exact, 0 Substitute, 1 Irrelevant" in " ".join(answer.out.split())
