"""Output: labeled lines and tables for people, JSON for programs."""

import json
import logging
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console()
errors = Console(stderr=True)

_LABEL_WIDTH = 13
_GAP = 2
_NARROWEST, _MOST_LINES = 24, 4


class _LogPrinter(logging.Handler):
    """Print each log record of our own code as one line, above the progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        errors.print(record.getMessage(), style="yellow", highlight=False, markup=False, soft_wrap=True)


logging.getLogger("stockroom").addHandler(_LogPrinter())


def show_next(*commands: str) -> None:
    """Print the commands to type next, one a line."""
    console.print(Text.assemble("\nNow: ", ("\n     ".join(commands), "bold")), soft_wrap=True)


def write_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def show_fact(label: str, text: str, style: str | None = None, *, width: int = _LABEL_WIDTH) -> None:
    """Print a labeled text; its later lines begin below its first one. A long word, such as a path, stays whole."""
    lines = textwrap.fill(
        text,
        max(console.width, width + _NARROWEST),
        initial_indent=f"{label:<{width - 1}} ",
        subsequent_indent=" " * width,
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print(Text(lines), style=style, soft_wrap=True)


def show_outside(rows: int, *, is_due: bool) -> None:
    """Print how many rows the indexes lack, if they slow searches down."""
    if is_due:
        are = "row is" if rows == 1 else "rows are"
        show_fact("indexes", f"{rows:,} {are} outside the index; stockroom reindex takes them in", "yellow")


def show_title(title: str) -> None:
    """Print the title above a table."""
    console.print(Text(title, style="bold"), soft_wrap=True)


def show_rows(names: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[str] = ()) -> None:
    """Print rows as a table if it fits the terminal, else as records.

    Args:
        names: The columns.
        rows: The text of each cell.
        numbers: The columns that are aligned right.
    """
    headings = _headings(names, rows)
    if headings is not None:
        table = plain_table()
        widths = _widths(headings, rows)
        for name, heading, width in zip(names, headings, widths, strict=True):
            justify: Literal["left", "right"] = "right" if name in numbers else "left"
            table.add_column(Text(heading), justify=justify, overflow="fold", no_wrap=width < max(widths))
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    elif rows:
        show_records(names, rows)
    else:
        console.print(Text(f"no rows: {', '.join(names)}"))


def fits(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether rows fit the terminal as a table."""
    return _headings(names, rows) is not None


def show_records(names: Sequence[str], rows: Sequence[Sequence[str]], titles: Sequence[str] = ()) -> None:
    """Print each row as a block of lines: its title, by default its number, then a column and its value in each."""
    for number, row in enumerate(rows, start=1):
        show_title(titles[number - 1] if titles else f"row {number}")
        block = Table.grid(padding=(0, _GAP, 0, 0))
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            block.add_row(Text(name), Text(value))
        console.print(block)


def plain_table() -> Table:
    """Return an empty table without a frame, so that much fits the terminal."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))


def _headings(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Sequence[str] | None:
    """Return the headings with which rows fit the terminal as a table: the names, or those broken at underscores; else None."""
    cells = _widths([""] * len(names), rows)
    broken = [_broken(name, width) for name, width in zip(names, cells, strict=True)]
    return next((headings for headings in (names, broken) if _is_narrow(_widths(headings, rows))), None)


def _is_narrow(widths: Sequence[int]) -> bool:
    """Tell whether columns fit the terminal, the widest of them wrapped to a few lines if need be."""
    widest = max(widths, default=0)
    left = console.width - _GAP * (len(widths) - 1) - (sum(widths) - widest)
    return widest <= left or (left >= _NARROWEST and widest <= _MOST_LINES * left)


def _broken(name: str, width: int) -> str:
    """Return a name broken at underscores into lines that are no wider than a width, or than its longest word."""
    lines = [""]
    for word in name.replace("_", "_ ").split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column: that of its longest line."""
    columns = zip(names, *rows, strict=True)
    return [max((cell_len(line) for cell in column for line in cell.splitlines()), default=0) for column in columns]
