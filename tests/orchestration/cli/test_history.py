"""`stockroom history` tells what each delta file brought, in the width of a terminal."""

import json

from orchestration.cli import output


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
    assert " ".join(line.split()).startswith("1 my-monday.jsonl 2 upserts, 1 delete of raw.products ")
    assert len(headings) <= 80
