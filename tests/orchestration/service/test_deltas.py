"""`POST /deltas`: what was acknowledged is kept, applied once, and told."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from starlette.testclient import TestClient

from orchestration.config.settings import load_settings
from orchestration.service.app import create_app
from orchestration.service.deltas.applier import apply_batch, next_batch
from orchestration.service.deltas.queue import DeltaQueue
from warehouse.errors import LockedError, WarehouseError

ROW = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}
LINES = "application/x-ndjson"


def quiet(event: str, **values: object) -> None:
    """Write no log."""


def put(queue: DeltaQueue, name: str, text: str = "x"):
    draft = queue.draft()
    draft.write_text(text, encoding="utf-8")
    return queue.put(draft, name, f"{hash(text):x}")


def report(files: list[Path], **values: object) -> SimpleNamespace:
    entries = [{"name": each.name, "table": "raw.products", "sequence_number": 1, "is_new": True} for each in files]
    return SimpleNamespace(**{"files": entries, "release": 2, "run": None, "quarantined": []} | values)


def test_files_wait_in_the_order_of_their_arrival_and_go_once_their_outcome_is_written(tmp_path):
    queue = DeltaQueue(tmp_path)
    posted = [put(queue, name) for name in ("b.jsonl", "a.jsonl", "c.jsonl")]
    assert [each.path.name for each in DeltaQueue(tmp_path).waiting()] == ["b.jsonl", "a.jsonl", "c.jsonl"]
    queue.finish(posted[0], {"state": "applied"})
    assert not posted[0].is_waiting
    assert queue.outcome(posted[0].id) == {"state": "applied"}
    assert (queue.count(), queue.find(posted[0].id), queue.find(posted[1].id)) == (2, None, posted[1])
    assert queue.outcome("../../etc/passwd") is None
    assert [path.name for path in (tmp_path / "posted" / "drafts").iterdir()] == []


def test_a_run_takes_several_files_of_different_names(tmp_path):
    queue = DeltaQueue(tmp_path)
    posted = [put(queue, name, text) for name, text in (("a.jsonl", "1"), ("b.jsonl", "1"), ("a.jsonl", "2"))]
    batch = next_batch(queue.waiting())
    assert batch == posted[:2]
    runs = []
    apply_batch(queue, batch, lambda files: runs.append(files) or report(files), quiet)
    assert [[each.name for each in files] for files in runs] == [["a.jsonl", "b.jsonl"]]
    assert queue.outcome(posted[1].id)["file"]["name"] == "b.jsonl"
    assert queue.waiting() == posted[2:]


def test_a_refused_file_does_not_stop_the_others(tmp_path):
    queue = DeltaQueue(tmp_path)
    posted = [put(queue, name) for name in ("a.jsonl", "bad.jsonl", "b.jsonl")]

    def apply(files):
        if any(each.name == "bad.jsonl" for each in files):
            raise WarehouseError(f"{posted[1].path} is bad", "correct it")
        return report(files)

    apply_batch(queue, queue.waiting(), apply, quiet)
    assert [queue.outcome(each.id)["state"] for each in posted] == ["applied", "refused", "applied"]
    assert queue.outcome(posted[1].id)["detail"] == "bad.jsonl is bad"


def test_files_stay_while_another_run_has_the_home(tmp_path, monkeypatch):
    queue = DeltaQueue(tmp_path)
    put(queue, "a.jsonl")
    monkeypatch.setattr("orchestration.service.deltas.applier._RETRY_S", 0.0)

    def locked(_files):
        raise LockedError("locked", "wait")

    apply_batch(queue, queue.waiting(), locked, quiet)
    assert queue.count() == 1


def test_a_run_that_fails_is_tried_again_and_then_told(tmp_path, monkeypatch):
    queue, tries = DeltaQueue(tmp_path), []
    posted = put(queue, "a.jsonl")
    monkeypatch.setattr("orchestration.service.deltas.applier._RETRY_S", 0.0)

    def broken(files):
        tries.append(files)
        raise OSError("the disk is gone")

    apply_batch(queue, queue.waiting(), broken, quiet)
    assert len(tries) == 3
    assert queue.outcome(posted.id) == {
        "id": posted.id,
        "name": "a.jsonl",
        "state": "failed",
        "detail": "the run failed: OSError",
        "hint": "the log of the service tells more",
    }


@pytest.fixture(scope="module")
def applying(copy_home):
    """A client of a service on a copied home, whose deltas are applied by a thread of this process."""
    from orchestration.commands.apply import apply
    from orchestration.config.open_context import open_run_context

    settings = load_settings(copy_home())
    run_context, stop = open_run_context(settings), threading.Event()
    queue = DeltaQueue(run_context.home.root)

    def work() -> None:
        while not stop.wait(0.02):
            batch = next_batch(queue.waiting())
            if batch:
                apply_batch(queue, batch, lambda files: apply(run_context, files), quiet)

    thread = threading.Thread(target=work)
    thread.start()
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client
    stop.set()
    thread.join()


def test_a_posted_row_is_searchable_once_it_is_answered(applying):
    answer = applying.post("/deltas", json=[ROW]).json()
    assert (answer["state"], answer["file"]["inserted"], answer["release"]) == ("applied", 1, 2)
    found = applying.get("/search", params={"q": "velvet accordion", "k": 1}).json()
    assert (found["release"], found["hits"][0]["key"]) == (2, "us:N1")
    again = applying.post("/deltas", json=[ROW]).json()
    assert (again["id"], again["file"]["is_new"], again["run"], again["release"]) == (answer["id"], False, None, 2)
    told = applying.get(f"/deltas/{answer['id']}").json()
    assert told["state"] == "applied"


def test_who_does_not_wait_is_told_where_to_ask(applying):
    accepted = applying.post("/deltas", params={"wait": False, "name": "x.jsonl"}, content=json.dumps(ROW))
    assert accepted.status_code == 202
    place = accepted.headers["location"]
    while applying.get(place).json()["state"] == "waiting":
        pass
    assert applying.get(place).json()["file"]["unchanged"] == 1


def test_parquet_and_csv_are_known_by_their_content_type(applying, tmp_path):
    pl.DataFrame([ROW | {"product_title": "Quilted harmonium"}]).write_parquet(tmp_path / "a.parquet")
    kind = {"content-type": "application/vnd.apache.parquet"}
    answer = applying.post("/deltas", content=(tmp_path / "a.parquet").read_bytes(), headers=kind).json()
    assert answer["file"]["updated"] == 1
    assert answer["name"].endswith(".parquet")
    csv = applying.post("/deltas", content="a,b\n1,2\n", headers={"content-type": "text/csv"})
    assert csv.status_code == 422  # no source of the home is declared that has such a shape
    assert "delta file" in csv.json()["hint"] or "JSON" in csv.json()["detail"]


@pytest.mark.parametrize(
    ("parameters", "body", "kind", "status", "detail"),
    [
        ({}, b"", LINES, 422, "the body is empty"),
        ({}, b"[]", "application/json", 422, "not a list of rows"),
        ({}, b"[1]", "application/json", 422, "not a list of rows"),
        ({}, b"[{", "application/json", 422, "the body is not JSON"),
        ({}, b"[" * 100_000, "application/json", 422, "the body is not JSON"),
        ({}, b'[{"op": 1, "op": 2}]', "application/json", 422, "names a column twice"),
        ({}, b"[{}]", "application/json", 422, "not a delta file"),
        ({}, b"\x00\xff", LINES, 422, ""),
        (
            {},
            b'{"op": "upsert", "product_locale": "us", "product_id": null, "product_title": "x"}',
            LINES,
            422,
            "refused",
        ),
        ({}, b"x", "image/png", 415, "needs a name"),
        ({"name": "../a.jsonl"}, b"x", LINES, 422, "name"),
        ({"name": "a/b.jsonl"}, b"x", LINES, 422, "name"),
        ({"name": ".jsonl"}, b"x", LINES, 422, "name"),
        ({"name": "a.exe"}, b"x", LINES, 422, "name"),
        ({"nam": "a.jsonl"}, b"x", LINES, 422, "nam is not known"),
    ],
)
def test_what_cannot_be_applied_is_told(applying, parameters, body, kind, status, detail):
    refused = applying.post("/deltas", params=parameters, content=body, headers={"content-type": kind})
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert detail in refused.json()["detail"]
    assert "posted/waiting" not in refused.text


@pytest.mark.parametrize("id", ["0123456789abcdef", "..%2F..%2Fetc", "x"])
def test_an_unknown_delta_is_told(applying, id):
    assert applying.get(f"/deltas/{id}").status_code in (404, 422)
