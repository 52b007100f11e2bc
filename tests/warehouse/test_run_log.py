"""The run log keeps the facts of all runs, even if a run is killed while it writes."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.run_log import Journal


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "home" / "runs.jsonl")


def test_nothing_is_there_before_the_first_run_and_asking_creates_nothing(journal, tmp_path):
    assert journal.last() == {}
    assert journal.run("r1") == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lines", "ended"),
    [
        ("", False),
        ("r1:raw", False),
        ("r1:raw r1:release", True),
        ("r1:raw r1:release r1:registry", True),  # what does not lead to the release may come after it
        ("r0:release r1:raw", False),
        ("r0:release r1:raw r2:raw", False),
        ("r1:raw r2:raw r2:release", True),
    ],
)
def test_a_run_has_ended_where_it_or_one_after_it_came_to_the_asset(journal, lines, ended):
    for line in lines.split():
        journal.append(*line.split(":"), {})
    assert journal.has_ended_since("r1", "release") is ended


def test_facts_come_back_by_run_and_asset(journal):
    journal.append("r1", "raw.products", {"inserted": 3})
    journal.append("r1", "embeddings.texts", {"texts_encoded": 2})
    journal.append("r2", "raw.products", {"inserted": 0})
    assert journal.run("r1") == {
        "raw.products": {"run_id": "r1", "asset": "raw.products", "inserted": 3},
        "embeddings.texts": {"run_id": "r1", "asset": "embeddings.texts", "texts_encoded": 2},
    }
    assert journal.last() == journal.run("r2")


def test_an_asset_that_ran_twice_in_a_run_has_its_last_facts(journal):
    journal.append("r1", "raw.products", {"inserted": 3})
    journal.append("r1", "raw.products", {"inserted": 0})
    assert journal.run("r1")["raw.products"]["inserted"] == 0


def test_values_that_json_has_not_are_kept_as_text(journal):
    journal.append("r1", "a", {"at": datetime(2026, 1, 1, tzinfo=UTC)})
    assert journal.last()["a"]["at"] == "2026-01-01 00:00:00+00:00"


@given(cut=st.integers(1, 60))
def test_a_torn_last_line_loses_itself_and_nothing_else(tmp_path_factory, cut):
    journal = Journal(tmp_path_factory.mktemp("journal") / "runs.jsonl")
    journal.append("r1", "a", {"n": 1})
    whole = journal.path.read_bytes()
    journal.append("r2", "ü", {"n": 2})
    torn = journal.path.read_bytes()[: len(whole) + cut]
    journal.path.write_bytes(torn)
    if not torn.rstrip().endswith(b"}"):
        assert journal.last() == journal.run("r1")
    journal.append("r3", "b", {"n": 3})
    assert journal.last()["b"]["n"] == 3
    assert journal.run("r1")["a"]["n"] == 1
    assert journal.run("r3").keys() == {"b"}


def test_every_line_is_json_of_its_own(journal):
    journal.append("r1", "a", {"text": "two\nlines ü"})
    journal.append("r1", "b", {})
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["asset"] for line in lines] == ["a", "b"]


def test_the_newest_runs_and_those_named_are_kept_and_the_file_shrinks(journal):
    for number in range(6):
        journal.append(f"r{number}", "raw", {"n": number})
        journal.append(f"r{number}", "release", {})
    before = journal.path.read_bytes()
    assert journal.prune(2, ["r1"], dry_run=True) == 3
    assert journal.path.read_bytes() == before
    assert journal.prune(2, ["r1"]) == 3
    assert [json.loads(line)["run_id"] for line in journal.path.read_text().splitlines()] == [
        *("r1", "r1"),
        *("r4", "r4"),
        *("r5", "r5"),
    ]
    assert journal.run("r1")["raw"]["n"] == 1
    assert journal.run("r0") == {}
    assert journal.prune(2, ["r1"]) == 0
    journal.append("r6", "raw", {"n": 6})
    assert journal.last()["raw"]["n"] == 6


def test_pruning_an_empty_log_makes_nothing(journal, tmp_path):
    assert journal.prune(1) == 0
    assert not list(tmp_path.iterdir())


def test_recent_lines_are_read_without_the_beginning(journal):
    """The sensor reads the log at every tick, and the log may be large."""
    journal.path.parent.mkdir()
    journal.path.write_text("{}\n" + "\n" * 200_000)  # whoever reads the first line fails, as it has no run
    journal.append("r0", "release", {})
    for asset in ("raw", "release", "registry"):
        journal.append("r1", asset, {})
    journal.append("r2", "raw", {})
    assert journal.has_ended_since("r1", "release")
    assert journal.last().keys() == {"raw"}
    assert journal.run("r1").keys() == {"raw", "release", "registry"}
    with pytest.raises(KeyError):
        journal.run("unknown")


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(0, 100_000), min_size=1, max_size=4))
def test_lines_of_any_length_come_back_whole(tmp_path_factory, sizes):
    journal = Journal(tmp_path_factory.mktemp("journal") / "runs.jsonl")
    for number, size in enumerate(sizes):
        journal.append(f"r{number}", "a", {"text": "x" * size})
    for number, size in enumerate(sizes):
        assert len(journal.run(f"r{number}")["a"]["text"]) == size
