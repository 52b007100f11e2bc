"""Output: tables for people and JSON for programs."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from warehouse.ingest.http_source import RemoteFile

console = Console()
errors = Console(stderr=True)


class _LogPrinter(logging.Handler):
    """Print each log record of our own code as one line, above the progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        errors.print(record.getMessage(), style="yellow", highlight=False, markup=False, soft_wrap=True)


logging.getLogger("stockroom").addHandler(_LogPrinter())

_METRICS = ("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr")
_RANKERS = ("random", "bm25", "encoder", "previous", "model")


def show_next(command: str, more: str = "") -> None:
    """Print what to type next."""
    console.print(Text.assemble("\nNow: ", (command, "bold"), more))


def write_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


class RateColumn(ProgressColumn):
    """Show the rate in items per second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last half minute, or of the whole task after its end."""
        rate = task.finished_speed or task.speed
        return Text(
            "" if rate is None else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s", style="progress.data.speed"
        )


@contextmanager
def progress() -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Draw progress bars on standard error, if it is a terminal; yield a function that announces a long task."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:

        def announce(task: str, total: int | None) -> Callable[[int], None]:
            bar = bars.add_task(task, total=total)
            return lambda count: bars.update(bar, completed=count)

        yield announce


@contextmanager
def byte_progress() -> Iterator[tuple[Callable[["RemoteFile", int], None], Callable[[str], None]]]:
    """Draw a bar per file on standard error, if it is a terminal; yield functions that report bytes and print a message."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bars:
        by_name: dict[str, TaskID] = {}

        def announce(file: "RemoteFile", size: int) -> None:
            if file.name not in by_name:  # bytes of an earlier download do not count in the rate
                by_name[file.name] = bars.add_task(file.name, total=file.size_bytes, completed=size)
            elif size < bars.tasks[by_name[file.name]].completed:
                bars.reset(by_name[file.name], completed=size)
            else:
                bars.update(by_name[file.name], completed=size)

        yield announce, lambda text: errors.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def gate_line(gate: dict[str, Any]) -> Text:
    """Return the gate's decision on a new model, its reason and the user's option."""
    hints = {
        **dict.fromkeys(
            ("refused", "undecided"),
            "; the live model stays (stockroom build --force publishes the new one all the same)",
        ),
        "forced": "; published all the same, by --force",
    }
    return Text(f"gate         {gate['decision']}: {gate['reason']}{hints.get(gate['decision'], '')}")


def relevance_table(summary: dict[str, Any], title: str) -> Table:
    """Return the rankers' metrics side by side, with the model's lead over the encoder and its interval."""
    table = Table(title=Text(title), title_justify="left")  # Text: brackets in a file's name are no markup
    table.add_column("ranker")
    for metric in _METRICS:
        table.add_column(metric, justify="right")
    for ranker in _RANKERS:
        means = summary["rankers"].get(ranker)
        if means:
            table.add_row(ranker, *(_number(means[metric]) for metric in _METRICS))
    lead = summary["model_minus_encoder"]
    if lead:
        table.add_section()
        table.add_row("model − encoder", *(_interval(lead.get(metric)) for metric in _METRICS))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _interval(interval: dict[str, float | None] | None) -> str:
    if interval is None:
        return "–"
    if interval["low"] is None:
        return f"{interval['mean']:+.4f}\ntoo few queries\n({interval['queries']:,}) to judge"
    return f"{interval['mean']:+.4f}\n\\[{interval['low']:+.3f}, {interval['high']:+.3f}]"
