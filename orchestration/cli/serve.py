"""`stockroom serve`: the HTTP service."""

from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, settings_for
from orchestration.cli.output import errors


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve")(serve)


def serve(
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on. Default: serve.port, 8808.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on. Default: serve.host, 127.0.0.1.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes that answer. Default: serve.workers, 1.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Answer searches, lookups and deltas over HTTP. Ctrl-C stops it.

    `/openapi.json` describes every path. A new release is followed without a failed request, whoever published it. Each
    request is a line of JSON on standard output.

    Without a token only this machine may be served. STOCKROOM_SERVE__READ_TOKEN is the token for reading, and
    STOCKROOM_SERVE__DELTA_TOKEN the one that may also post deltas: a request sends it as `Authorization: Bearer TOKEN`.
    """
    from orchestration.service.server import serve as run

    settings = settings_for(home)
    overrides = {"host": host, "port": port, "workers": workers}
    chosen = settings.serve.model_copy(update={name: value for name, value in overrides.items() if value is not None})

    def on_ready(url: str, release: int) -> None:
        errors.print(
            f"Serving release {release} of {settings.home.absolute()} on {url} (Ctrl-C stops it)",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    run(settings.model_copy(update={"serve": chosen}), on_ready)
