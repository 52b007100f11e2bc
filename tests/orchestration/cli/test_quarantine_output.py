"""Refused rows are told by rule, with keys to look at and the command that lists all."""

import pytest

from orchestration.cli import output
from orchestration.cli.quarantine_output import show_quarantined


def refusal(rule, rows, *keys):
    return {"table": "raw.products", "rule": rule, "rows": rows, "keys": list(keys)}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)


def test_each_rule_has_its_first_keys_and_all_are_a_command_away(capsys):
    show_quarantined([refusal("title_empty", 1, "us:A"), refusal("duplicate_key", 9, "us:B", "us:C", "us:D")])
    assert capsys.readouterr().out.splitlines() == [
        "quarantined  9 × raw.products: duplicate_key (us:B, us:C, us:D, …)",
        "             1 × raw.products: title_empty (us:A)",
        '             all: stockroom sql "FROM quarantine.rows"',
    ]


def test_only_as_many_keys_as_fit_the_line(capsys):
    long = "us:" + "B" * 20
    show_quarantined([refusal("duplicate_key", 2, long, long)])
    assert capsys.readouterr().out.splitlines()[0].endswith(f"({long}, …)")


def test_of_many_rules_those_with_most_rows_are_told(capsys):
    show_quarantined([refusal(f"rule_{rows}", rows, "us:A") for rows in range(1, 9)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines[:3]] == ["rule_8", "rule_7", "rule_6"]
    assert lines[3:] == ['             15 by other rules; all: stockroom sql "FROM quarantine.rows"']


def test_without_refused_rows_nothing_is_told(capsys):
    show_quarantined([])
    assert capsys.readouterr().out == ""
