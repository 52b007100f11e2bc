"""A copied home works at its new path and reads nothing at the old one, which is deleted first."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance
from warehouse.history.checkpoints import content_snapshot

STORES_EVENTS = True

QUESTIONS = (
    ("search", "black tent", "--json"),
    ("sql", "SELECT * FROM staging.products ORDER BY key", "--json"),
    ("sql", "SELECT key, vector[1] AS first FROM vectors.products ORDER BY key", "--json"),
    ("status", "--json"),
    ("evaluate", "--json"),
)


@pytest.fixture(scope="module")
def moved(built, copy_home, tmp_path_factory):
    """Copy a home that believes to have been built where it is, and delete it there."""
    first = copy_home()
    with closing(sqlite3.connect(first / "lake" / "catalog.sqlite")) as catalog, catalog:
        built_here = (f"{first / 'lake' / 'data'}/", f"{built.home / 'lake' / 'data'}/")
        changed = catalog.execute(
            "UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path' AND value = ?", built_here
        )
        assert changed.rowcount == 1
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "stock room's home"
    shutil.copytree(first, elsewhere)
    shutil.rmtree(first)
    yield elsewhere
    shutil.rmtree(elsewhere)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: " ".join(question[:2]))
def test_it_answers_as_the_first_home_does(stockroom, built, moved, question):
    here, moved_answer = stockroom(*question, "--home", built.home), stockroom(*question, "--home", moved)
    assert here.status == 0
    assert moved_answer == here


def test_nothing_in_a_home_names_its_path_but_the_catalog_whose_path_is_ignored(built):
    place = str(built.home).encode()
    files = [path for path in built.home.rglob("*") if path.is_file() and "encoders" not in path.parts]
    assert {path.name for path in files if place in path.read_bytes()} <= {"catalog.sqlite", "catalog.sqlite-wal"}


@pytest.mark.slow
def test_two_builds_started_together_there_both_find_that_nothing_changed(built, moved, tmp_path):
    before = _state(moved)
    command = [Path(sys.executable).with_name("stockroom"), "build", "--home", moved]
    started = [
        subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        for more in ([], ["--raw", built.raw, "--compare-all", "--json"])
    ]
    (first_output, first_errors), (report, second_errors) = (process.communicate(timeout=400) for process in started)
    assert [process.returncode for process in started] == [0, 0], first_errors + second_errors
    assert "Nothing changed: 0 texts encoded" in " ".join(first_output.split())
    assert json.loads(report)["changed"] is False
    assert sorted(error[:7] for error in (first_errors, second_errors)) in (["", ""], ["", "waiting"])
    snapshot, release, runs = _state(moved)
    assert (snapshot, release) == before[:2]
    assert len(runs) == len(before[2]) + 2
    (_, first_end), (second_start, _) = sorted(runs)[-2:]
    assert first_end <= second_start  # one after another
    assert list(tmp_path.iterdir()) == []


def _state(root):
    home = open_home(load_settings(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        with open_instance(home) as instance:
            runs = [(record.start_time, record.end_time) for record in instance.get_run_records()]
    return content_snapshot(home.lake), home.releases.live(), runs
