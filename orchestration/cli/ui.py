"""`stockroom ui`: start Dagster's web server and daemon on a home."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, settings_for
from orchestration.cli.output import errors

if TYPE_CHECKING:
    from orchestration.config.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("ui")(ui)


def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    home: HomeOption = None,
) -> None:
    """Start Dagster's web server and daemon on this home. Ctrl-C stops them.

    The asset graph shows every table with its columns, rows, checks and plots; "Materialize all" runs the pipeline. The
    server applies the delta files that come into the home's folder incoming/, as `stockroom apply --incoming` does.
    """
    from orchestration.config.open_home import open_home
    from orchestration.instance.ui_server import serve

    settings = settings_for(home)
    opened = open_home(settings)
    errors.print(f"Starting Dagster on {opened.root} …", highlight=False, markup=False, soft_wrap=True)
    serve(
        opened,
        host,
        port,
        lambda address: errors.print(f"Open [bold]{address}[/bold] (Ctrl-C stops it)", highlight=False),
        _absolute_paths(settings),
    )


def _absolute_paths(settings: "Settings") -> dict[str, str]:
    """Return the settings with relative paths as absolute ones: the server starts in another folder."""
    variables = {} if settings.raw is None else {"STOCKROOM_RAW": str(settings.raw.absolute())}
    if Path(settings.encoder.model).is_dir():
        variables["STOCKROOM_ENCODER__MODEL"] = str(Path(settings.encoder.model).absolute())
    return variables
