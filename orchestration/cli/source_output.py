"""The output of a check of sources: what would be read, and what would be refused with its places."""

from typing import TYPE_CHECKING, Any

from orchestration.cli.output import console, show_fact, show_rows, show_title

if TYPE_CHECKING:
    from warehouse.ingest.source_check import SourceReport

_MOST_CHARS = 60


def show_report(report: "SourceReport") -> None:
    """Print the first rows as they are read, the number of rows, the notes, and the refused rows by rule."""
    for table, first in report.first.items():
        if first.height:
            show_title(f"first rows of {table}")
            names = [name for name in first.columns if first[name].count()]
            show_rows(names, [[_short(value) for value in row] for row in first.select(names).iter_rows()])
    console.print()
    show_fact("rows", ", ".join(f"{table} {count:,}" for table, count in report.rows.items()))
    for note in report.notes:
        show_fact("note", note)
    for refusal in report.refusals:
        show_fact("refused", f"{refusal.rows:,} × {refusal.table}: {refusal.rule}", "yellow")
        for example in refusal.examples:
            show_fact("", example)
    if not report.refusals:
        show_fact("refused", "nothing")


def report_json(report: "SourceReport") -> dict[str, Any]:
    """Return a report as values for JSON."""
    return {
        "rows": report.rows,
        "notes": list(report.notes),
        "refused": [
            {"table": each.table, "rule": each.rule, "rows": each.rows, "examples": list(each.examples)}
            for each in report.refusals
        ],
    }


def _short(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"
