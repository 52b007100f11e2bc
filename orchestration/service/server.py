"""The server: listens on an address, and answers from one or several processes until someone stops it."""

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings, load_settings
from orchestration.instance.address import listening_socket
from warehouse.paths import is_writable, private_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE_S = 2  # for requests in progress when the service is stopped
_OVERRIDES = {"host": "STOCKROOM_SERVE__HOST", "port": "STOCKROOM_SERVE__PORT", "workers": "STOCKROOM_SERVE__WORKERS"}


def serve(settings: Settings, on_ready: Callable[[str, int], None]) -> None:
    """Serve the home that the settings name until someone stops it.

    Args:
        settings: The settings, those of `serve` among them.
        on_ready: Called with the address and the release once the first request can be answered.

    Raises:
        WarehouseError: The home has no release, the address cannot be used, or other machines reach it and there is no token.
    """
    from orchestration.service.deltas.applier import Applier
    from orchestration.service.tokens import check_tokens  # imports the framework, which takes a moment

    check_tokens(settings.serve)
    release = open_home(settings).releases.require().release
    with listening_socket(settings.serve.host, settings.serve.port) as listener:
        # What the other processes of the service leave behind goes with this one.
        os.environ["TMPDIR"] = str(private_folder())
        host = settings.serve.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        home = settings.home.absolute()
        with Applier(home) if is_writable(home) else nullcontext():
            if settings.serve.workers > 1:
                _serve_by_processes(settings, listener, lambda: on_ready(url, release))
            else:
                _serve_here(settings, listener, lambda: on_ready(url, release))


def worker_app() -> "FastAPI":
    """Return the application of one of several processes, on the home and the settings that the environment names."""
    from orchestration.service.app import create_app
    from orchestration.service.parent_process import end_with_parent

    end_with_parent()
    return create_app(load_settings())


def _serve_here(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    import uvicorn

    from orchestration.service.app import create_app

    server = uvicorn.Server(_config(create_app(settings), settings))
    on_ready()  # the socket listens already: a request that comes now waits for the server
    with suppress(KeyboardInterrupt):  # the server has ended in order by then
        server.run([listener])


def _serve_by_processes(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    from uvicorn.supervisors import Multiprocess

    os.environ["STOCKROOM_HOME"] = str(settings.home.absolute())
    os.environ |= {name: str(getattr(settings.serve, each)) for each, name in _OVERRIDES.items()}
    if Path(settings.encoder.model).is_dir():
        os.environ["STOCKROOM_ENCODER__MODEL"] = str(Path(settings.encoder.model).absolute())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(private_folder())  # the processes add up their metrics there
    config = _config(f"{__name__}:worker_app", settings, factory=True, workers=settings.serve.workers)
    on_ready()
    Multiprocess(config, [listener]).run()


def _config(app: Any, settings: Settings, **more: Any) -> Any:
    import uvicorn

    from orchestration.service.connections import Patient

    return uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",  # a request that is none is answered, and no news
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        **more,
    )
