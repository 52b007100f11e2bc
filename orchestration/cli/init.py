"""`stockroom init`: declare files of one's own."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import console, show_fact, show_next, write_json
from orchestration.cli.progress_bars import progress
from orchestration.cli.source_output import report_json, show_report


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init")(init)


def init(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES…",
            parser=path_from,
            help="Files of products, judgements or clicks: parquet, CSV, TSV or JSON lines, gzipped or not.",
        ),
    ],
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of the text files. Default: found out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the declaration without asking.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose how files of your own are read, and write it to stockroom.toml in the home.

    The proposal comes from the names of the columns and their first 1,000 rows; each line has its reason. Then the files are read
    whole, as a build reads them, and the rows that would be refused are shown with their places. A script is not asked.
    """
    settings = settings_for(home)
    with progress() as announce:
        announce("reading", None)
        from orchestration.commands.declare import check_proposals, folder_of_esci, propose_sources, write_sources
        from warehouse.sources.declaration_text import declaration_text

        folder = folder_of_esci(files)
        proposals = [] if folder else propose_sources(files, settings.home, encoding)
        report = None
        if not folder:
            proposals, report = check_proposals(proposals, settings)
    if report is None:
        _show_no_declaration(shlex.join(["--raw", str(folder), "--home", str(settings.home)]), as_json=as_json)
        return
    if not as_json:
        console.print(declaration_text(proposals), highlight=False, markup=False, soft_wrap=True)
        show_report(report)
    if not (yes or as_json) and sys.stdin.isatty() and not typer.confirm("\nWrite this declaration?", default=True):
        raise typer.Exit(1)
    path = write_sources(proposals, settings.home)
    if as_json:
        write_json(
            {"file": str(path), "sources": [each.source.model_dump(exclude_defaults=True) for each in proposals]}
            | report_json(report)
        )
        return
    show_fact("written", str(path))
    show_next(f"stockroom build --home {shlex.quote(str(settings.home))}")


def _show_no_declaration(options: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"file": None, "sources": []})
        return
    show_fact("note", "these files have the form of ESCI, which needs no declaration; nothing was written")
    show_next(f"stockroom build {options}")
