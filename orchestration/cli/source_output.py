"""The output of a check of sources: what would be read, and what would be refused with its places."""

from typing import TYPE_CHECKING, Any

from orchestration.cli.output import console, show_fact, show_rows, show_title
from warehouse.wording import counted

if TYPE_CHECKING:
    from warehouse.ingest.source_check import Refusals, SourceReport

_MOST_CHARS = 60


def show_report(report: "SourceReport") -> None:
    """Print the first rows as they are read, the number of rows, the notes, and by rule refused rows and unreadable values."""
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
        label, nouns = ("unreadable", ("value", "values")) if refusal.is_of_values else ("refused", ("row", "rows"))
        show_fact(label, f"{counted(refusal.rows, *nouns)} × {refusal.table}: {refusal.rule}", "yellow")
        for example in refusal.examples:
            show_fact("", example)
    if all(refusal.is_of_values for refusal in report.refusals):
        show_fact("refused", "no row")


def report_json(report: "SourceReport") -> dict[str, Any]:
    """Return a report as values for JSON."""

    def of(refusals: "list[Refusals]", count: str) -> list[dict[str, Any]]:
        return [
            {"table": each.table, "rule": each.rule, count: each.rows, "examples": list(each.examples)}
            for each in refusals
        ]

    return {
        "rows": report.rows,
        "notes": list(report.notes),
        "refused": of([each for each in report.refusals if not each.is_of_values], "rows"),
        "unreadable": of([each for each in report.refusals if each.is_of_values], "values"),
    }


def _short(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"
