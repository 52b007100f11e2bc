"""`stockroom status` tells what is live."""

import json

from warehouse.contracts.registry import CONTRACTS


def test_json_has_the_promised_facts(stockroom, built):
    facts = json.loads(stockroom("status", "--json", "--home", built.home).out)
    assert list(facts) == ["snapshot", "release", "model", "encoder", "rows", "texts_encoded", "gate"]
    for fact in ("snapshot", "release", "model", "rows", "texts_encoded", "gate"):
        assert facts[fact] == built.report[fact]
    assert set(facts["rows"]) == set(CONTRACTS)
    assert (built.home / "models" / "encoders" / facts["encoder"]).is_dir()


def test_people_see_the_same_facts(stockroom, built):
    output = stockroom("status", "--home", built.home).out
    for fact in ("snapshot", "release", "model", "texts_encoded"):
        assert str(built.report[fact]) in next(line for line in output.splitlines() if line.startswith(fact))
    for table, rows in built.report["rows"].items():
        assert f"{rows:,} rows" in next(line for line in output.splitlines() if line.startswith(f"{table} "))


def test_an_empty_home_is_named_and_stays_empty(stockroom, tmp_path):
    answer = stockroom("status", "--home", tmp_path / "none")
    assert answer.status == 1
    assert f"no data in {tmp_path / 'none'}" in answer.err
    assert not list(tmp_path.iterdir())
