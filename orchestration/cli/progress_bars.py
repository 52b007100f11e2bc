"""Progress bars on standard error, drawn if it is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
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
from rich.text import Text

from orchestration.cli.output import errors

if TYPE_CHECKING:
    from warehouse.download.http_source import RemoteFile


class RateColumn(ProgressColumn):
    """Show the rate in items per second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last half minute, or of the whole task after its end."""
        rate = task.finished_speed or task.speed
        return Text(
            "" if rate is None else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s", style="progress.data.speed"
        )


class OfKnownSize(ProgressColumn):
    """Show another column for tasks of known size, and nothing for others."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        """Return what the other column shows of the task."""
        return Text("") if task.total is None else self._column(task)


Announce = Callable[[str, int | None], Callable[[int], None]]
"""A function that takes the name and size of a task (None: unknown), and returns one that takes the finished amount."""


@contextmanager
def progress() -> Iterator[Announce]:
    """Draw progress bars on standard error, if it is a terminal; yield a function that announces a task."""
    with bars_on(errors) as bars:
        yield announcer(bars)


def bars_on(terminal: Console) -> Progress:
    """Return the bars of a terminal, which vanish at their end."""
    sizes = map(OfKnownSize, (BarColumn(), MofNCompleteColumn(), RateColumn()))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *sizes,
        TimeElapsedColumn(),
        OfKnownSize(TimeRemainingColumn()),
    )
    return Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal)


def announcer(bars: Progress) -> Announce:
    """Return a function that announces tasks.

    A task of known size gets a bar. A task of unknown size becomes the current step, on one line; when the step ends, its line
    and its bars disappear.
    """
    step = bars.add_task("", total=None, visible=False)
    current = ""
    by_name: dict[str, TaskID] = {}
    of_step: set[str] = set()

    def end(task: str) -> None:
        nonlocal current
        if task == current:
            current = ""
            for each in (step, *map(by_name.__getitem__, of_step)):
                bars.update(each, visible=False)
            of_step.clear()

    def announce(task: str, total: int | None) -> Callable[[int], None]:
        nonlocal current
        if total is None:
            end(current)
            current = task
            bars.reset(step, description=task, visible=True)
            return lambda _count: end(task)
        if current:
            of_step.add(task)
        if task in by_name:
            bars.reset(by_name[task], total=total, visible=True)
        else:
            by_name[task] = bars.add_task(task, total=total)
        return lambda count: bars.update(by_name[task], completed=count)

    return announce


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
