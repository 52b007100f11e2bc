"""`stockroom serve` as a process: bad clients, kills in the middle of a delta, several workers, and its end."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import httpx
import pytest

ROW = {"op": "upsert", "product_locale": "us", "product_id": "K1", "product_title": "Velvet accordion"}
PATIENCE_S = 240


def talk(port: int, *parts: bytes, more: Iterable[bytes] = (), most_s: float = 60.0) -> bytes:
    """Return what the server sends to a client that sends these bytes, until the server closes the connection."""
    heard = b""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=most_s)) as connection:
        try:
            for part in chain(parts, more):
                connection.sendall(part)
            while heard_now := connection.recv(65_536):
                heard += heard_now
        except (ConnectionResetError, BrokenPipeError):
            pass
    return heard


def endless(chunk: bytes, most_s: float) -> Iterator[bytes]:
    """Yield the same bytes again and again, slowly."""
    ends_at = time.monotonic() + most_s
    while time.monotonic() < ends_at:
        yield chunk
        time.sleep(0.1)
    pytest.fail("the server listened to a body that never ends")


def anyone(server, path: str, **parameters: object) -> httpx.Response:
    """Return an answer over a connection of its own: whichever worker is free gives it."""
    with httpx.Client(base_url=server.client.base_url, timeout=60, trust_env=False) as client:
        return client.get(path, params=parameters)


def searches_counted(server) -> set[int]:
    """Return the numbers of searches that the metrics tell, asked several times."""
    told = [anyone(server, "/metrics").text for _ in range(8)]
    return {int(float(re.search(r'_request_seconds_count\{.*route="/search".*\} (\S+)', each)[1])) for each in told}


def test_bad_clients_do_not_disturb_the_others(copy_home, start):
    server = start(copy_home(), STOCKROOM_SERVE__BODY_S="1.5", STOCKROOM_SERVE__MAX_BODY_MB="0.1").wait()
    port, get = server.port, b"GET /search?q=chair HTTP/1.1\r\nhost: localhost\r\n"
    post = b"POST /deltas?name=a.jsonl HTTP/1.1\r\nhost: localhost\r\n"
    assert talk(port, b"GET /search?q=" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n")[:12] in (b"", b"HTTP/1.1 400")
    assert talk(port, b"GET /search?q=" + b"x" * 50_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 414"
    )
    assert talk(port, get + b"x-endless: ", *(b"y" * 10_000 for _ in range(10)))[:12] in (b"", b"HTTP/1.1 400")
    assert b"application/problem+json" in talk(port, b"\x16\x03\x01 not http\r\n\r\n")
    assert talk(port, post + b"content-length: 1000000000\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert talk(port, post + b"content-length: 100\r\n\r\n{").startswith(b"HTTP/1.1 408")  # and then silence
    began = time.monotonic()
    assert talk(port) == talk(port, b"GET /sea") == b""  # nothing, and half a head
    chunks = post + b"transfer-encoding: chunked\r\n\r\n"
    assert talk(port, chunks, more=endless(b"1\r\n{\r\n", 60))[:12] in (b"", b"HTTP/1.1 408")
    talk(port, get + b"transfer-encoding: chunked\r\n\r\n", more=endless(b"1\r\n{\r\n", 60))
    assert time.monotonic() - began < 100
    assert server.client.get("/search", params={"q": "chair"}).status_code == 200


def test_an_acknowledged_delta_survives_a_kill(copy_home, start):
    home = copy_home()
    server = start(home).wait()
    accepted = server.client.post("/deltas", params={"wait": False}, json=[ROW])
    assert accepted.status_code == 202
    server.kill()  # before its process for deltas has even started
    server = start(home).wait()
    place = accepted.headers["location"]
    deadline = time.monotonic() + PATIENCE_S
    while server.client.get(place).json()["state"] == "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told = server.client.get(place).json()
    assert (told["state"], told["file"]["inserted"]) == ("applied", 1)
    while (found := server.client.get("/search", params={"q": "velvet accordion", "k": 1}).json())["release"] < told[
        "release"
    ]:
        time.sleep(0.05)
    assert found["hits"][0]["key"] == "us:K1"
    later = server.client.post("/deltas", params={"wait": False}, json=[ROW | {"product_title": "Quilted harmonium"}])
    time.sleep(float(os.environ.get("KILL_AFTER_S", "1.0")))
    server.kill()  # in the middle of the run
    server = start(home).wait(for_deltas=True)
    same = server.client.post("/deltas", json=[ROW | {"product_title": "Quilted harmonium"}]).json()
    assert f"/deltas/{same['id']}" == later.headers["location"]
    assert (same["state"], same["file"]["is_new"]) == ("applied", False)
    found = server.client.get("/search", params={"q": "quilted harmonium", "k": 1}).json()
    assert (found["hits"][0]["key"], found["release"]) == ("us:K1", same["release"])


@pytest.mark.slow
def test_several_workers_share_one_home_and_one_process_for_deltas(copy_home, start, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    home = copy_home().rename(tmp_path / "a home")
    server = start(home, "--workers", "2", TMPDIR=str(temporary)).wait(for_deltas=True)
    answer = server.client.post("/deltas", json=[ROW]).json()
    assert answer["state"] == "applied"
    deadline = time.monotonic() + 30
    releases: list[int] = []
    while releases[-10:] != [answer["release"]] * 10:
        assert time.monotonic() < deadline, releases
        found = anyone(server, "/search", q="velvet accordion", k=1).json()
        assert (found["hits"][0]["key"] == "us:K1") is (found["release"] == answer["release"])
        releases.append(found["release"])
    assert searches_counted(server) == {len(releases)}
    server.kill_child(-1)
    for _ in range(3):
        assert anyone(server, "/search", q="velvet accordion").status_code == 200
    assert searches_counted(server) == {len(releases) + 3}
    os.kill(server.process.pid, signal.SIGINT)
    assert server.process.wait(30) == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_killed_service_leaves_no_process_and_its_port(copy_home, start):
    server = start(copy_home(), "--workers", "2").wait(for_deltas=True)
    started = server.children()
    assert len(started) >= 3
    server.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{each}/cmdline").exists() for each in started):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", server.port))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_with_one_line_and_leaves_no_file(copy_home, start, tmp_path, sign):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start(copy_home().rename(tmp_path / "a home"), TMPDIR=str(temporary)).wait()
    assert list(temporary.iterdir())  # links, since some libraries cannot open such a path
    os.kill(server.process.pid, sign)
    began = time.monotonic()
    assert server.process.wait(30) == 0
    assert time.monotonic() - began < 10
    assert server.process.stderr is not None
    lines = server.process.stderr.read().splitlines()
    assert len(lines) <= 2, lines
    assert list(temporary.iterdir()) == []
    assert lines[0].startswith("Serving release 1 of ")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--host", "0.0.0.0"], "no token protects the catalog; set STOCKROOM_SERVE__READ_TOKEN"),
        (["--host", "nowhere.invalid"], "no token protects the catalog"),
        (["--host", "127.0.0.1", "--port", "BUSY"], "Address already in use; choose another port: --port N"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(built, stockroom, options, line):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        answer = stockroom("serve", "--home", built.home, *(port if each == "BUSY" else each for each in options))
    assert answer.status == 1
    assert line in answer.err
    assert answer.err.count("\n") == 1


def test_a_home_without_a_release_is_told(tmp_path, stockroom):
    answer = stockroom("serve", "--home", tmp_path / "empty")
    assert answer.status == 1
    assert "no release in" in answer.err
    assert json.dumps(answer.err).count("\\n") == 1
