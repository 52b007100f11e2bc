"""Limits: sizes, times and numbers; what exceeds one is a problem, and the next request is answered."""

import threading
import time

import anyio
import pytest

from orchestration.config.serve import ServeSettings
from orchestration.service.limits import Workers
from orchestration.service.problems import Problem


def test_a_body_may_not_be_larger_than_the_limit(serving):
    client = serving(max_body_mb=0.01)
    for body in (b"x" * 20_000, (b"x" * 1_000 for _ in range(20))):  # announced, and not announced
        refused = client.post("/deltas", params={"name": "a.jsonl"}, content=body)
        assert refused.status_code == 413
        assert "larger than 10,000 bytes" in refused.json()["detail"]
        assert refused.headers["connection"] == "close"
    assert client.get("/releases").status_code == 200


def test_work_that_takes_too_long_is_left_to_end_by_itself():
    workers, ended = Workers(ServeSettings(request_s=0.05)), threading.Event()

    def work() -> None:
        time.sleep(0.3)
        ended.set()

    with pytest.raises(Problem, match="no answer within"):
        anyio.run(workers.run, work)
    assert ended.wait(5)


def test_a_request_too_many_is_told_to_come_again():
    async def crowd() -> list[object]:
        workers, outcomes = Workers(ServeSettings(threads=1, max_waiting=1)), []

        async def one() -> None:
            try:
                outcomes.append(await workers.run(lambda: time.sleep(0.1)))
            except Problem as refused:
                outcomes.append(refused.headers)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(one)
                await anyio.sleep(0.01)
        return outcomes

    assert sorted(anyio.run(crowd), key=str) == [None, None, {"retry-after": "1"}, {"retry-after": "1"}]
