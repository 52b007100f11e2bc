"""The file of search rules: its lines and their numbers, what a line may not say, and the file alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.rules_file import check_rules_file, is_ingested, split_files
from warehouse.lake.lake import Lake

HEADER = "rule,query,locale,product,condition,value\n"


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a file of search rules below its header."""

    def write(text: str) -> Path:
        path = tmp_path / "search_rules.csv"
        path.write_text(HEADER + text, encoding="utf-8")
        return path

    return write


def alone(lake: Lake, path: Path) -> Any:
    (ingested,) = ingest(lake, path.parent, [check_rules_file(path)], alone=True)
    return ingested


def rows(lake: Lake, columns: str) -> list[tuple[Any, ...]]:
    with lake.reading() as connection:
        return connection.execute(f"SELECT {columns} FROM raw.search_rules ORDER BY line").fetchall()


def test_a_row_is_named_by_its_line_whatever_blank_lines_there_are(filled: Lake, rules: Callable[[str], Path]) -> None:
    alone(filled, rules('\nhide,"a ""b"", c",,us:P1,,\n,,,,,\n\n  \npin,sofa,,us:P1,,1\nhide,x,,us:P2\n'))
    assert rows(filled, "key, rule, query, value") == [
        ("search_rules.csv:3", "hide", 'a "b", c', None),
        ("search_rules.csv:7", "pin", "sofa", "1"),
        ("search_rules.csv:8", "hide", "x", None),
    ]


BROKEN = [
    ("delete,sofa,,us:P1,,", "unknown_rule"),
    (",sofa,,us:P1,,", "rule_missing"),
    ("synonym,,,,,couch", "query_missing"),
    ("synonym,sofa,,,,", "value_missing"),
    ("synonym,sofa,,us:P1,,couch", "product_not_allowed"),
    ("synonym,sofa,,,brand = 'x',couch", "condition_not_allowed"),
    ("hide,sofa,everywhere,us:P1,,", "locale_malformed"),
    ("pin,sofa,,,,1", "product_missing"),
    ("pin,sofa,,us:P1,,0", "value_not_a_place"),
    ("pin,sofa,,us:P1,,first", "value_not_a_place"),
    ("pin,sofa,,us:P1,,", "value_not_a_place"),
    ("pin,sofa,,us:P1,brand = 'x',1", "condition_not_allowed"),
    ("boost,sofa,,us:P1,,0", "value_not_a_factor"),
    ("boost,sofa,,us:P1,,nan", "value_not_a_factor"),
    ("boost,sofa,,us:P1,,101", "value_not_a_factor"),
    ("boost,sofa,,,,2", "product_or_condition_missing"),
    ("hide,sofa,,us:P1,,1", "value_not_allowed"),
    ("hide,sofa,,us:P1,brand = 'x',", "condition_not_allowed"),
]


def test_a_line_that_breaks_a_rule_goes_to_quarantine(
    filled: Lake, rules: Callable[[str], Path], refused: Callable[[Lake], set[Any]]
) -> None:
    ingested = alone(filled, rules("hide,mug,,us:P1,,\n" + "".join(f"{line}\n" for line, _ in BROKEN)))
    assert (ingested.inserted, ingested.quarantined) == (1, len(BROKEN))
    expected = {("raw.search_rules", f"search_rules.csv:{line}", rule) for line, (_, rule) in enumerate(BROKEN, 3)}
    assert {each for each in refused(filled) if each[0] == "raw.search_rules"} == expected
    with filled.reading() as connection:
        (row,) = connection.execute("SELECT row FROM quarantine.rows WHERE rule = 'rule_missing'").fetchone() or ("",)
    assert json.loads(row) == {
        "line": 4,
        "rule": None,
        "query": "sofa",
        "locale": None,
        "product": "us:P1",
    } | dict.fromkeys(("condition", "value"))


def test_a_file_replaces_every_rule_and_no_other_table(
    filled: Lake, rules: Callable[[str], Path], fingerprints: Callable[..., dict[str, str]]
) -> None:
    before = fingerprints(filled, "raw")
    alone(filled, rules("hide,mug,,us:P1,,\nhide,mug,,us:P2,,\n"))
    assert is_ingested(filled, check_rules_file(rules("hide,mug,,us:P1,,\nhide,mug,,us:P2,,\n")))
    assert alone(filled, rules("hide,mug,,us:P1,,\nhide,mug,,us:P2,,\n")).unchanged_file
    second = alone(filled, rules("hide,mug,,us:P2,,\n"))
    assert (second.inserted, second.updated, second.deleted) == (0, 1, 1)
    assert alone(filled, rules("")).deleted == 1
    after = fingerprints(filled, "raw")
    assert {name for name in before if before[name] != after[name]} <= {"raw.files", "raw.search_rules"}


def test_a_folder_without_the_file_leaves_the_rules_as_they_are(
    filled: Lake, write: Callable[..., Path], rules: Callable[[str], Path]
) -> None:
    alone(filled, rules("hide,mug,,us:P1,,\n"))
    folder, before = write(sources=None), filled.snapshot()
    assert "raw.search_rules" not in {each.table for each in ingest(filled, folder)}
    assert rows(filled, "key") == [("search_rules.csv:2",)]
    assert filled.snapshot() != before  # the sources are gone
    assert all(each.unchanged_file for each in ingest(filled, write(sources=None)))


def test_a_file_that_cannot_be_used_is_refused_whole(rules: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"every line breaks a rule: search_rules.csv:2 unknown_rule"):
        check_rules_file(rules("pinn,sofa,,us:P1,,1\n"))
    (tmp_path / "search_rules.csv").write_text("rule;query;locale;product;condition;value\n")
    with pytest.raises(WarehouseError, match="has no column rule"):
        check_rules_file(tmp_path / "search_rules.csv")
    with pytest.raises(WarehouseError, match="is missing"):
        check_rules_file(tmp_path / "other" / "search_rules.csv")


def test_several_files_of_rules_are_refused(tmp_path: Path) -> None:
    one, delta = tmp_path / "search_rules.csv", tmp_path / "monday.jsonl"
    assert split_files([delta, one]) == ([one], [delta])
    with pytest.raises(WarehouseError, match="would each replace"):
        split_files([one, tmp_path / "other" / "search_rules.csv"])
