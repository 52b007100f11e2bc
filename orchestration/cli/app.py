"""The application: the commands and their shared options."""

from importlib import metadata
from typing import Annotated

import typer

from orchestration.cli import (
    apply,
    build,
    check,
    diff,
    download,
    evaluate,
    export,
    features,
    history,
    init,
    lookup,
    reindex,
    releases,
    replay,
    rollback,
    sample,
    search,
    serve,
    similar,
    snapshots,
    sql,
    status,
    train,
    tune,
    ui,
    vacuum,
)
from orchestration.cli.endings import show_tracebacks
from orchestration.cli.options import HomeOption, remember_home

app = typer.Typer(
    name="stockroom",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""A feature store pipeline for product search: catalog files in, features in SQL, a two-tower model, search out.

Start with `stockroom sample --out DIR` for invented data, `stockroom download` for ESCI, or `stockroom init FILES` for files
of your own. Then run `stockroom build`, `stockroom search "wireless earbuds"`, `stockroom serve` for a search page, and
`stockroom ui` for Dagster's pages.""",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 by SIGTERM. "
    "Settings: STOCKROOM_* variables or stockroom.toml in the home.",
)


def _show_version(is_asked: bool) -> None:
    """Print the version alone, and end."""
    if is_asked:
        typer.echo(f"stockroom {metadata.version('stockroom')}")
        raise typer.Exit


@app.callback()
def stockroom(
    home: HomeOption = None,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            envvar="STOCKROOM_DEBUG",
            help="Print the traceback before the error message.",
        ),
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version, and end.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    remember_home(home)
    show_tracebacks(debug)


for command in (
    init,
    check,
    build,
    apply,
    search,
    similar,
    lookup,
    sql,
    features,
    snapshots,
    diff,
    history,
    releases,
    rollback,
    reindex,
    vacuum,
    replay,
    train,
    tune,
    evaluate,
    export,
    status,
    serve,
    ui,
    sample,
    download,
):
    command.register(app)
