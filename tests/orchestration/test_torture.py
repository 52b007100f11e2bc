"""Applies are killed at any moment and run in parallel: a search reads one release or the next, and the final state is right.

TRIALS sets the number of kills (a few in `make test`, 50 in `make torture`), and SEED their moments.
"""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance
from orchestration.serving.lookup import Lookup
from orchestration.serving.searcher import Searcher
from warehouse.history.checkpoints import content_snapshot
from warehouse.lake.sync_tables import DERIVED_TABLES, RAW_TABLES
from warehouse.operations import consistency

STORES_EVENTS = True

TRIALS = int(os.environ.get("TRIALS", "2"))
SEED = int(os.environ.get("SEED", "0"))
SEARCHES = max(100, 20 * TRIALS)
STOCKROOM = Path(sys.executable).parent / "stockroom"


@dataclass(frozen=True)
class State:
    """What a home holds and answers: rows, vectors to the bit, hits and looked-up features of some queries and keys."""

    release: int
    model: str
    tables: dict[str, list[Any]]
    vectors: dict[str, Any]
    hits: list[Any]
    features: list[Any]


@dataclass(frozen=True)
class Case:
    """A home from before, the delta, what to ask, the states before and after it, and how long it holds the run lock."""

    home: Path
    delta: Path
    queries: list[str]
    keys: list[str]
    before: State
    after: State
    seconds: float


COMPARED_COLUMNS = "name -> name NOT IN ('snapshot', 'checked_at')"  # the time of an ingest differs between two homes


def _write(path, *rows):
    path.write_text("".join(json.dumps({"product_locale": "us", **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def _state(root, queries, keys):
    settings = load_settings(root)
    home = open_home(settings)
    release = home.releases.live()
    assert consistency.key_differences(home, release) == (0, 0)
    with home.lake.reading(release.snapshot) as connection:  # batches and killed runs ingest files at other snapshots
        rows = {
            table: connection.sql(f"SELECT COLUMNS({COMPARED_COLUMNS}) FROM {table} ORDER BY ALL").fetchall()
            for table in (*RAW_TABLES, *DERIVED_TABLES)
        }
    vectors = home.vectors.read(release.vector_table, release.vector_version).to_pylist()
    searcher, lookup = Searcher(home, settings.encoder), Lookup(home)
    assert searcher.release == lookup.release == release
    return State(
        release.release,
        release.model_id,
        rows,
        {row["key"]: row | {"vector": np.array(row["vector"], np.float32).tobytes()} for row in vectors},
        [searcher.search(query, 5) for query in queries],
        home.online.rows("product", lookup.release.snapshot, keys),
    )


def _start(home, *arguments):
    """Start a command in a process group of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    command = [STOCKROOM, *map(str, arguments), "--home", str(home)]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _await_lock(process, home):
    """Wait until the process holds the home's run lock, or has ended."""
    with (home / "run.lock").open("a") as file:
        while process.poll() is None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(0.01)


@pytest.fixture(scope="module")
def case(copy_home, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        home = copy_home()
        with open_home(load_settings(home)).lake.reading() as connection:
            gone, changed = connection.sql(
                "SELECT product_id, product_title FROM raw.products WHERE product_locale = 'us' ORDER BY key LIMIT 2"
            ).fetchall()
        delta = _write(
            tmp_path_factory.mktemp("deltas") / "monday.jsonl",
            {"op": "upsert", "product_id": "N1", "product_title": "Velvet accordion"},
            {"op": "upsert", "product_id": changed[0], "product_title": "Brass kazoo"},
            {"op": "upsert", "product_id": None, "product_title": "Nothing"},
            {"op": "delete", "product_id": gone[0]},
        )
        queries = ["velvet accordion", "brass kazoo", gone[1], changed[1]]
        keys = ["us:N1", f"us:{changed[0]}", f"us:{gone[0]}"]
        before, applied = _state(home, queries, keys), copy_home()
        process = _start(applied, "apply", delta)
        _await_lock(process, applied)
        started = time.monotonic()
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        seconds = time.monotonic() - started
        after = _state(applied, queries, keys)
        assert (after.release, after.model) == (before.release + 1, before.model)
        assert all(old != new for old, new in zip(before.hits, after.hits, strict=True))
        yield Case(home, delta, queries, keys, before, after, seconds)


@pytest.mark.parametrize("trial", range(TRIALS))
def test_killed_at_any_moment_an_apply_leaves_one_release_or_the_next_and_ends_right_when_run_again(
    case, copy_home, trial, monkeypatch
):
    """The moments lie all over the time for which the apply holds the run lock, which is all in which it writes."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    home, chance = copy_home(), random.Random(f"{SEED} {trial}")
    process = _start(home, "apply", case.delta)
    _await_lock(process, home)
    time.sleep(case.seconds * (trial + chance.random()) / TRIALS)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    state = _state(home, case.queries, case.keys)
    assert state == (case.before if state.release == case.before.release else case.after)
    assert process.returncode == -signal.SIGKILL or state == case.after

    run_context = open_run_context(load_settings(home))
    apply(run_context, [case.delta])
    assert _state(home, case.queries, case.keys) == case.after
    assert content_snapshot(run_context.home.lake) == run_context.home.releases.live().snapshot
    with open_instance(run_context.home) as instance:
        statuses = [run.status.value for run in instance.get_runs()]  # newest first
    # Killed once it had published, the run leaves nothing to be done but to be marked as failed.
    assert statuses[0] == "SUCCESS" or state == case.after
    assert set(statuses) <= {"SUCCESS", "FAILURE"}


@pytest.mark.slow
def test_two_applies_and_a_build_at_once_all_succeed_and_searches_go_on(copy_home, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    root = copy_home()
    settings = load_settings(root)
    home = open_home(settings)
    deltas = [
        _write(tmp_path / "a.jsonl", {"op": "upsert", "product_id": "N1", "product_title": "Velvet accordion"}),
        _write(tmp_path / "b.jsonl", {"op": "upsert", "product_id": "N2", "product_title": "Brass kazoo"}),
    ]
    queries = ["velvet accordion", "brass kazoo", "warm socks"]
    searcher = Searcher(home, settings.encoder)
    first = searcher.release.release
    processes = [
        _start(root, "apply", deltas[0], "--json"),
        _start(root, "apply", deltas[1], "--json"),
        _start(root, "build", "--json"),
    ]
    answers: dict[tuple[int, str], list[Any]] = {}
    searches = 0
    while searches < SEARCHES or any(process.poll() is None for process in processes):
        query = queries[searches % len(queries)]
        hits = searcher.search(query, 5)
        assert answers.setdefault((searcher.release.release, query), hits) == hits
        searches += 1
        if searches % 10 == 0:
            searcher.refresh()
        if searches % 100 == 0:
            searcher = Searcher(open_home(settings), settings.encoder)
        time.sleep(20 / SEARCHES)  # spread over the time that the processes take, not in their way
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said

    searcher.refresh()
    assert searcher.release.release >= first + 2
    assert searcher.search(queries[0], 1)[0].key == "us:N1"
    assert searcher.search(queries[1], 1)[0].key == "us:N2"
    with home.lake.reading() as connection:
        names = connection.sql("SELECT name FROM raw.deltas ORDER BY name").fetchall()
    assert names == [("a.jsonl",), ("b.jsonl",)]
    # One run after another: each release has the whole of what came in before it, and of no other file a part.
    problems = []
    for release in home.releases.all():
        assert consistency.key_differences(home, release) == (0, 0)
        with home.lake.reading(release.snapshot) as connection:
            problems.append(
                {*connection.sql("SELECT name FROM raw.deltas").fetchall()} if release.release > first else set()
            )
            new = connection.sql("SELECT key FROM features.products WHERE key IN ('us:N1', 'us:N2')").fetchall()
        assert len(new) == len(problems[-1])
    assert all(len(now - then) <= 1 and not then - now for then, now in pairwise(problems))
    with open_instance(home) as instance:
        assert {run.status.value for run in instance.get_runs()} == {"SUCCESS"}
