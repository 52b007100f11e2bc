"""`stockroom status` tells what is live, and what the lake has beyond it."""

import json

import pytest

from orchestration.cli import output
from orchestration.cli.status import rows_text
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.locks import run_lock
from warehouse.contracts.registry import CONTRACTS


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)


def test_json_has_the_promised_facts(stockroom, built):
    facts = json.loads(stockroom("status", "--json", "--home", built.home).out)
    promised = ["snapshot", "release", "model", "encoder", "rows", "unknown_tokens", "judged", "texts_encoded", "gate"]
    assert list(facts) == [
        *promised,
        "release_snapshot",
        "published_at",
        "note",
        "rows_outside",
        "needs_reindex",
        "run",
        "is_ahead",
    ]
    for fact in ("snapshot", "release", "model", "rows", "unknown_tokens", "texts_encoded", "gate"):
        assert facts[fact] == built.report[fact]
    assert set(facts["rows"]) == set(CONTRACTS)
    assert (built.home / "models" / "encoders" / facts["encoder"]).is_dir()
    assert (facts["release_snapshot"], facts["run"]) == (facts["snapshot"], None)


def test_people_see_the_same_facts_on_one_screen(stockroom, built):
    shown = stockroom("status", "--home", built.home).out
    told = {line[:13].strip(): line for line in shown.splitlines()}
    for fact in ("snapshot", "release", "model"):
        assert str(built.report[fact]) in told[fact].split()[1]
    assert f"{built.report['texts_encoded']:,} texts" in told["encoded"]
    assert f"{built.report['rows']['staging.products']:,} products" in told["lake"]
    assert "every table: stockroom status --all" in " ".join(shown.split())
    assert len(shown.splitlines()) <= 14


def test_all_shows_every_table(stockroom, built):
    shown = stockroom("status", "--all", "--home", built.home).out
    told = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if line.strip()}
    for table, rows in built.report["rows"].items():
        assert told[table] == f"{rows:,}"


def test_a_run_that_did_not_end_is_told(stockroom, copy_home):
    root = copy_home()
    home = open_home(load_settings(root))
    assert "run " not in stockroom("status", "--home", root).out
    with run_lock(home):
        assert "a run is in progress" in stockroom("status", "--home", root).out
    with home.lake.writing() as connection:
        connection.execute("DELETE FROM staging.products WHERE key = (SELECT min(key) FROM staging.products)")
    facts = json.loads(stockroom("status", "--json", "--home", root).out)
    assert (facts["run"], facts["snapshot"] > facts["release_snapshot"]) == ("unfinished", True)
    shown = " ".join(stockroom("status", "--home", root).out.split())
    assert "the last run did not end" in shown
    assert f"at snapshot {facts['snapshot']}, which is not yet live" in shown


def test_after_a_rollback_what_is_live_is_told_apart_from_the_lake(stockroom, copy_home, tmp_path):
    root, delta = copy_home(), tmp_path / "delta.jsonl"
    first = json.loads(stockroom("status", "--json", "--home", root).out)["snapshot"]
    delta.write_text('{"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Accordion"}\n')
    assert stockroom("apply", delta, "--home", root).status == 0
    lake = json.loads(stockroom("status", "--json", "--home", root).out)["snapshot"]
    assert stockroom("rollback", "--home", root).status == 0
    told = {line[:13].strip(): line for line in stockroom("status", "--home", root).out.splitlines()}
    assert told["snapshot"].split() == ["snapshot", str(first)]
    assert "back to release 1" in told["release"]
    assert f"at snapshot {lake}" in " ".join(stockroom("status", "--home", root).out.split())
    assert "run" not in told


def test_an_empty_home_is_named_and_stays_empty(stockroom, tmp_path):
    answer = stockroom("status", "--home", tmp_path / "none")
    assert answer.status == 1
    assert f"no data in {tmp_path / 'none'}" in answer.err
    assert not list(tmp_path.iterdir())


def test_a_count_of_one_has_a_singular_noun():
    rows = {"staging.products": 1, "staging.queries": 1, "staging.judgements": 2, "quarantine.rows": 1}
    assert rows_text(rows) == "1 product, 1 query, 2 judgements, 1 quarantined"
