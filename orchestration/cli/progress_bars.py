"""Progress bars on standard error, drawn if it is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
    from warehouse.ingest.http_source import RemoteFile


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
