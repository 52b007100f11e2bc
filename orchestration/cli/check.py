"""`stockroom check`: what a build would read and refuse."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import write_json
from orchestration.cli.progress_bars import progress
from orchestration.cli.source_output import report_json, show_report
from warehouse.errors import WarehouseError


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check")(check)


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES…]", parser=path_from, help="Files to check. Default: those that stockroom.toml declares."
        ),
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option("--raw", metavar="DIR", parser=path_from, help="Folder of the declared files, or an ESCI folder."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read files as a build does and show what it would refuse; write nothing.

    Files are read as `stockroom.toml` in the home declares them, else as `stockroom init` would. Exit status 1: a file cannot
    be read at all, or no product is left. A row that breaks a rule is shown with its place, and a build would put it into
    quarantine.
    """
    settings = settings_for(home)
    with progress() as announce:
        announce("reading", None)
        from orchestration.commands.declare import check as run

        report = run(settings.model_copy(update={"raw": raw} if raw is not None else {}), files or ())
    if as_json:
        write_json(report_json(report))
    else:
        show_report(report)
    if report.rows.get("raw.products") == 0:
        raise WarehouseError("no product is left, which a build refuses", "correct the rows that are told above")
