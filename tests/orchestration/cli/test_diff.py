"""`stockroom diff` shows old above new, in the width of a terminal."""

from orchestration.cli import output
from orchestration.cli.diff import show
from warehouse.history.table_diff import Difference, RowChange, Value

LONG = "A tent for two persons with a long description " * 4


def test_a_changed_row_shows_old_above_new(monkeypatch, capsys):
    monkeypatch.setattr(output.console, "_width", 80)
    rows = [
        RowChange("us:A", "added", {}),
        RowChange("us:B", "changed", {"title": Value("[old] tent", "[new] tent"), "description": Value(None, LONG)}),
    ]
    show(Difference("staging.products", 1, 2, 1, 0, 1, {"title": 1}, [], [], rows))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:6] == [
        "added    us:A",
        "changed  us:B",
        "    title        − [old] tent",
        "                 + [new] tent",
        "    description  −",
    ]
    assert lines[6].startswith("                 + A tent for two persons")
    assert max(map(len, lines)) <= 80
