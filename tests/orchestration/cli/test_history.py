"""`stockroom history` tells what each delta file brought, in the width of a terminal."""

import json

import pytest

from orchestration.cli import output
from orchestration.cli.history import show


def test_each_delta_is_one_line(stockroom, copy_home, tmp_path, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)
    root, delta = copy_home(), tmp_path / "my-monday.jsonl"
    assert "No delta file is applied yet" in stockroom("history", "--home", root).out
    rows = [
        {"op": "upsert", "product_locale": "us", "product_id": f"N{n}", "product_title": "Accordion"} for n in (1, 2)
    ]
    rows.append({"op": "delete", "product_locale": "us", "product_id": "N3"})
    delta.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert stockroom("apply", delta, "--home", root).status == 0
    headings, _, line = stockroom("history", "--home", root).out.splitlines()
    assert headings.split() == ["delta", "file", "changes", "snapshot", "release"]
    assert " ".join(line.split()).startswith("1 my-monday.jsonl 2 upserts, 1 unknown of raw.products ")
    assert len(headings) <= 80


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"deletes": 2, "unknown": 1}, "1 delete, 1 unknown"),
        ({"deletes": 2, "unknown": 2}, "2 unknown"),
        ({"deletes": 1, "deleted": 1}, "1 delete"),
        ({"upserts": 1, "refused": 1}, "1 upsert, 1 refused"),
        ({"refused": 0}, "no row"),
    ],
)
def test_deletes_of_unknown_keys_are_told_apart(counts, text, capsys, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 100)
    row = dict.fromkeys(("upserts", "deletes", "refused", "late", "unknown"), 0) | counts
    show([{"sequence_number": 1, "name": "a.jsonl", "table": "raw.products", "as_of": 3, "release": None, **row}])
    assert " ".join(capsys.readouterr().out.splitlines()[-1].split()) == f"1 a.jsonl {text} of raw.products 3 –"
