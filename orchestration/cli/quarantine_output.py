"""The output of refused rows: rule by rule, with a few of their keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.cli.output import console, show_fact

_MOST_RULES = 3
_LABEL = "quarantined"
_ALL_REFUSED = 'all: stockroom sql "FROM quarantine.rows"'


def show_quarantined(refusals: Sequence[Mapping[str, Any]]) -> None:
    """Print the rules that refused most rows, each with as many keys as fit its line, and the command that lists all rows."""
    by_rows = sorted(refusals, key=lambda refusal: -refusal["rows"])
    rest = by_rows[_MOST_RULES:]
    for place, refusal in enumerate(by_rows[:_MOST_RULES]):
        show_fact("" if place else _LABEL, _line(refusal))
    others = f"{sum(refusal['rows'] for refusal in rest):,} by other rules; " if rest else ""
    if refusals:
        show_fact("", f"{others}{_ALL_REFUSED}")


def _line(refusal: Mapping[str, Any]) -> str:
    """Return rows, table and rule of a refusal, and one key or more if there are any."""
    keys = [key or "no key" for key in refusal["keys"]]
    line = f"{refusal['rows']:,} × {refusal['table']}: {refusal['rule']}"
    for count in range(len(keys), 0, -1):
        more = ", …" if refusal["rows"] > count else ""
        line = f"{refusal['rows']:,} × {refusal['table']}: {refusal['rule']} ({', '.join(keys[:count])}{more})"
        if len(f"{_LABEL}  {line}") <= console.width:
            break
    return line
