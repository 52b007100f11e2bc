"""The output of a check of sources."""

from orchestration.cli.source_output import report_json, show_report
from warehouse.ingest.source_check import Refusals, SourceReport

ROWS = Refusals("raw.products", "duplicate_key", 2, ("a.csv line 4: us:1",))
VALUES = Refusals("raw.products", "not_money", 1, ("a.csv line 2: price ask us",))


def report(*refusals):
    return SourceReport({"raw.products": 3}, list(refusals), (), {})


def test_refused_rows_and_unreadable_values_are_told_apart(capsys):
    show_report(report(ROWS, VALUES))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "refused 2 rows × raw.products: duplicate_key" in lines
    assert "unreadable 1 value × raw.products: not_money" in lines
    told = report_json(report(ROWS, VALUES))
    assert [(each["rule"], each["rows"]) for each in told["refused"]] == [("duplicate_key", 2)]
    assert [(each["rule"], each["values"]) for each in told["unreadable"]] == [("not_money", 1)]


def test_unreadable_values_alone_refuse_no_row(capsys):
    show_report(report(VALUES))
    assert "refused no row" in " ".join(capsys.readouterr().out.split())
