"""kill -9 of the service or of one of its processes at any moment: what was acknowledged is searchable afterwards, and whole.

`make slow` kills at two moments, `make torture` (where TRIALS is set) at as many as it says, spread over a delta's time.
"""

import os
import time

import httpx
import pytest

TRIALS = int(os.environ.get("TRIALS", "2"))
MOST_S = 9.0  # an apply of a few rows ends by then
PATIENCE_S = 240

pytestmark = pytest.mark.slow


def row(name, title):
    return {"op": "upsert", "product_locale": "us", "product_id": name, "product_title": title}


def kill_one(server, trial):
    """Kill the service, or in every second trial one of the processes that it started."""
    if trial % 2:
        server.kill_child(trial // 2 % len(server.children()))
    else:
        server.kill()


def found(server, query):
    """Return the keys of the first products, however long the service needs to come back."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = server.client.get("/search", params={"q": query, "k": 2, "all": True})
            if answer.status_code == 200:
                return {hit["key"] for hit in answer.json()["hits"]}
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_was_acknowledged_is_searchable_after_a_kill_and_what_was_not_is_not_half_there(copy_home, start):
    home, server = copy_home(), None
    for trial in range(TRIALS):
        server = server or start(home, "--workers", "2").wait(for_deltas=True)
        title = f"Velvet accordion {'abcdefghijklmnopqrstuvwxyz'[trial % 26] * 5} {trial}"
        rows = [row(f"K{trial}a", title), row(f"K{trial}b", title)]
        posted = server.client.post("/deltas", params={"wait": False}, json=rows)
        assert posted.status_code == 202
        time.sleep(MOST_S * (trial + 0.5) / TRIALS)
        kill_one(server, trial)
        if server.process.poll() is not None:
            server = start(home, "--workers", "2").wait(for_deltas=True)
        deadline = time.monotonic() + PATIENCE_S
        both = {f"us:K{trial}a", f"us:K{trial}b"}
        while (keys := found(server, title) & both) != both:
            assert not keys, f"half of a delta is there: {keys}"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        while (state := server.client.get(posted.headers["location"]).json()["state"]) == "waiting":
            assert time.monotonic() < deadline  # the run writes down its end after its release
            time.sleep(0.2)
        assert state == "applied"
