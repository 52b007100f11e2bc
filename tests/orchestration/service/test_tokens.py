"""Rights: a token for reading, one for deltas, none beyond loopback, and nothing of it in any log."""

import base64

import pytest
from pydantic import SecretStr

from orchestration.config.serve import ServeSettings
from orchestration.config.settings import load_settings
from orchestration.service.tokens import check_tokens
from warehouse.errors import WarehouseError

READ, DELTA = "r-0123456789abcdef", "d-0123456789abcdef"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(serving):
    return serving(read_token=SecretStr(READ), delta_token=SecretStr(DELTA))


@pytest.mark.parametrize(
    "path", ["/search?q=chair", "/releases", "/metrics", "/suggest?q=a", "/deltas/0123456789abcdef"]
)
def test_reading_needs_a_token(guarded, path):
    refused = guarded.get(path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert guarded.get(path, headers=bearer("wrong-0123456789")).status_code == 401
    assert guarded.get(path, headers=bearer(READ)).status_code in (200, 404)
    assert guarded.get(path, headers=bearer(DELTA)).status_code in (200, 404)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer \xff\xfe", "Basic !", "Basic", f"Token {READ}", READ])
def test_other_headers_are_no_token(guarded, header):
    raw = {b"authorization": header.encode("latin-1")}
    assert guarded.get("/releases", headers=raw).status_code == 401


def test_a_browser_may_send_the_token_as_a_password(guarded):
    given = base64.b64encode(f"any:{READ}".encode()).decode()
    assert guarded.get("/releases", headers={"authorization": f"Basic {given}"}).status_code == 200


def test_health_needs_none(guarded):
    assert guarded.get("/healthz").status_code == guarded.get("/readyz").status_code == 200


def test_a_token_for_reading_may_not_post(guarded):
    assert guarded.post("/deltas", json=[{}]).status_code == 401
    refused = guarded.post("/deltas", json=[{}], headers=bearer(READ))
    assert refused.status_code == 403
    assert "may not post deltas" in refused.json()["detail"]
    assert guarded.post("/deltas", content=b"", headers=bearer(DELTA)).status_code == 415


def test_without_a_token_for_deltas_nobody_posts(serving):
    refused = serving(read_token=SecretStr(READ)).post("/deltas", json=[{}], headers=bearer(READ))
    assert refused.status_code == 403
    assert "STOCKROOM_SERVE__DELTA_TOKEN" in refused.json()["hint"]


def test_no_log_has_a_token(guarded, capfd):
    guarded.get("/releases?token=x", headers=bearer(READ))
    guarded.get("/releases", headers=bearer("wrong-0123456789"))
    guarded.post("/deltas", json=[{}], headers=bearer(READ))
    guarded.get("/metrics", headers=bearer(DELTA))
    told = "".join(capfd.readouterr())
    assert '"status": 403' in told
    for secret in (READ, DELTA, "wrong-0123456789", "Bearer", "authorization"):
        assert secret not in told


def test_a_page_of_another_site_cannot_use_the_service(client):
    assert client.post("/deltas", content="{}", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get("/releases", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/releases", headers={"host": "127.0.0.1:8808"}).status_code == 200
    assert client.get("/releases", headers={"origin": "http://localhost"}).status_code == 200


def test_beyond_loopback_a_token_is_needed():
    for host in ("0.0.0.0", "::", "192.0.2.1", "shop.example"):
        with pytest.raises(WarehouseError, match="no token protects the catalog"):
            check_tokens(ServeSettings(host=host))
        with pytest.raises(WarehouseError, match="no token protects the catalog"):
            check_tokens(ServeSettings(host=host, delta_token=SecretStr(DELTA)))
        check_tokens(ServeSettings(host=host, read_token=SecretStr(READ)))
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        check_tokens(ServeSettings(host=host))


@pytest.mark.parametrize("token", ["short", "with a blank 0123456789", "ümlaut-0123456789", ""])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token):
    with pytest.raises(WarehouseError, match="STOCKROOM_SERVE__READ_TOKEN has fewer") as refused:
        check_tokens(ServeSettings(read_token=SecretStr(token)))
    assert not token or token not in str(refused.value)


def test_a_token_comes_from_the_environment_alone(tmp_path, monkeypatch):
    (tmp_path / "stockroom.toml").write_text(f'[serve]\nport = 9000\nread_token = "{READ}"\n', encoding="utf-8")
    with pytest.raises(WarehouseError, match="STOCKROOM_SERVE__READ_TOKEN instead") as refused:
        load_settings(tmp_path)
    assert READ not in str(refused.value)
    (tmp_path / "stockroom.toml").write_text("[serve]\nport = 9000\n", encoding="utf-8")
    monkeypatch.setenv("STOCKROOM_SERVE__READ_TOKEN", READ)
    serve = load_settings(tmp_path).serve
    assert (serve.port, serve.read_token.get_secret_value()) == (9000, READ)
    assert READ not in repr(serve)
