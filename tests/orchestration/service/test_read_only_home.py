"""The service over a home that may only be read: everything that reads is answered, and what would write is refused."""

import pytest
from starlette.testclient import TestClient

from orchestration.config.settings import load_settings
from orchestration.service.app import create_app


@pytest.fixture
def client(copy_home, read_only):
    home = copy_home()
    read_only(home)
    settings = load_settings(home)
    chosen = settings.serve.model_copy(update={"feedback": True})
    with TestClient(create_app(settings.model_copy(update={"serve": chosen})), base_url="http://localhost") as client:
        yield client


def test_what_reads_is_answered_and_what_would_write_is_refused(client):
    key = client.get("/search", params={"q": "chair", "facets": "brand"}).json()["hits"][0]["key"]
    for path in (
        f"/similar/{key}",
        f"/features/product/{key}",
        "/suggest?q=ch",
        "/releases",
        "/deltas/0123456789abcdef",
        "/healthz",
        "/metrics",
        "/?q=chair",
        "/compare?q=chair",
        f"/product/{key}",
        "/data?named=slices",
        "/data?sql=SELECT 1",
        "/data/features.products",
        "/quality",
    ):
        assert client.get(path).status_code == (404 if "deltas" in path else 200), path
    assert client.get("/readyz").json()["takes_deltas"] is False
    row = {"op": "delete", "product_locale": "us", "product_id": "N1"}
    click = {"query": "chair", "events": [{"key": key, "event": "click"}]}
    for refused in (client.post("/deltas", json=[row]), client.post("/feedback", json=click)):
        assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
        assert "may only read its home" in refused.json()["detail"]
        assert refused.json()["hint"]
    assert client.get("/search", params={"q": "chair"}).status_code == 200
