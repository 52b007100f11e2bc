"""`stockroom download`: ESCI itself."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import JsonOption, path_from
from orchestration.cli.output import console, show_next, write_json
from orchestration.cli.progress_bars import byte_progress
from warehouse.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("download")(download)


def download(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", parser=path_from, help="Folder to write the files to.")
    ] = Path("esci"),
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="BASE", help="Address of the files' folder. Default: the data set's repository."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch ESCI's examples and products (51 MB and 1.1 GB) from the data set's public repository.

    A file is called `NAME.part` until its size and its SHA-256 are right. The same command continues an interrupted download
    and keeps complete files. No other command opens a connection to the outside.
    """
    from warehouse.download import data_files as downloads
    from warehouse.download.http_source import ADDRESS, Server

    with byte_progress() as (announce, note):
        fetched = downloads.Download(Server(url or ADDRESS)).fetch(out, downloads.FILES, announce, note)
    if as_json:
        write_json({"folder": str(out), "files": [asdict(file) for file in fetched]})
        return
    for file in fetched:
        console.print(
            f"{file.outcome:<9}{out / file.name}  {counted(file.size_bytes, 'byte')}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    show_next(f"stockroom build --raw {shlex.quote(str(out))}")
