"""The server of the UI: starts and stops Dagster's web server, daemon and code server together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from orchestration.instance.address import listening_socket
from orchestration.instance.dagster_instance import fail_runs_of_a_dead_server, open_instance, prepare_instance
from orchestration.instance.locks import server_lock
from orchestration.instance.ui_health import Health, ask
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.paths import private_folder, require_writable

_POLL_S = 0.2
_ASK_EVERY_S = 5.0
_REFUSED_S = 15.0  # how long nothing may listen on the port
_PATIENCE_S = 60.0  # how long answers may be missing or report a fault
_GRACE_S = 60.0  # a step in native code notices the stop only when it returns
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    """A stop was requested: Ctrl-C, SIGTERM, or a closed terminal."""


def serve(
    home: Home, host: str, port: int, on_ready: Callable[[str], None], environment: Mapping[str, str] | None = None
) -> None:
    """Serve the UI of a home until someone stops it; its unfinished runs then fail.

    Args:
        home: The home to show; the server's runs use no other.
        host: Address to listen on.
        port: Port to listen on.
        on_ready: Called with the asset graph's address once a browser can open it and its assets are loaded.
        environment: Variables for the server's processes in addition to this process's.

    Raises:
        WarehouseError: The home is not writable, the host is not an address of this machine, the port is not available, the
            home is served already, the definitions cannot be loaded, or the web server or the daemon has died.
    """
    require_writable(home.root)
    listening_socket(host, port).close()
    with _only_server(home):
        _serve(home, host, port, on_ready, environment or {})


def _serve(home: Home, host: str, port: int, on_ready: Callable[[str], None], environment: Mapping[str, str]) -> None:
    before = {each: signal.signal(each, _stop) for each in _SIGNALS}
    process = _start(home, host, port, environment)
    try:
        _wait_until_ready(process, host, port)
        url_host = f"[{host}]" if ":" in host else host
        on_ready(f"http://{url_host}:{port}/asset-groups")
        _watch(process, host, port)
    except _Stopped:
        pass
    finally:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not leave processes behind
        _end(process)
        for each, handler in before.items():
            signal.signal(each, handler)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Stopped


@contextmanager
def _only_server(home: Home) -> Iterator[None]:
    """Hold the server lock of the home, and fail the runs of a killed server."""
    with ExitStack() as stack:
        try:
            stack.enter_context(server_lock(home))
        except WarehouseError as error:
            raise WarehouseError(
                f"another `stockroom ui` serves {home.root}", "use the running server, or stop the running server"
            ) from error
        with open_instance(home) as instance:
            fail_runs_of_a_dead_server(instance)
        yield


def _start(home: Home, host: str, port: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    directory = prepare_instance(home)
    home.incoming.mkdir(exist_ok=True)  # so that users find where to drop files
    home_variables = {"STOCKROOM_HOME": str(home.root), "DAGSTER_HOME": str(directory), **_python_path()}
    command = ["-W", "ignore:Function `dev_command`", "-m", "dagster", "dev", "--log-level", "warning"]
    options = ["-w", str(directory / "workspace.yaml"), "-h", host, "-p", str(port)]
    return subprocess.Popen(
        [sys.executable, *command, *options],
        env={**os.environ, **environment, **home_variables},
        cwd=private_folder(),  # Dagster reads .env, dagster.yaml and pyproject.toml from its working directory
        start_new_session=True,  # Ctrl-C reaches only this process, which then ends the others in order
    )


def _python_path() -> dict[str, str]:
    """Return the variables that give the server's processes the import path of this process.

    Python's -m would put the working directory first on the path, where another `models` may lie. Dagster removes the first
    entry of the path before it loads definitions, so that entry is an empty folder.
    """
    path = os.environ.get("PYTHONPATH")
    places = [] if path is None else [os.path.abspath(place) for place in path.split(os.pathsep)]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([str(private_folder()), *places])}


def _wait_until_ready(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Wait until the pages answer, the definitions are loaded and the daemon has given a sign of life."""
    while True:
        _require_alive(process)
        with suppress(ConnectionRefusedError):
            health = ask(host, port)
            if health is not None and health.load_error:
                raise _not_loaded(health.load_error)
            if health is not None and not health.is_loading and not health.sick_daemons:
                return
        time.sleep(_POLL_S)


def _watch(process: subprocess.Popen[bytes], host: str, port: int) -> NoReturn:
    """Monitor the server until a part of it has died.

    Raises:
        WarehouseError: A part has died; the message names it.
    """
    well_at = requested_at = time.monotonic()
    while True:
        _require_alive(process)
        if time.monotonic() - requested_at > _ASK_EVERY_S:
            health, patience_s = None, _PATIENCE_S
            try:
                health = ask(host, port)
            except ConnectionRefusedError:
                patience_s = _REFUSED_S
            requested_at = time.monotonic()
            if health is not None and not health.load_error and not health.sick_daemons:
                well_at = requested_at
            elif requested_at - well_at > patience_s:
                raise _fault(health)
        time.sleep(_POLL_S)


def _require_alive(process: subprocess.Popen[bytes]) -> None:
    """Check Dagster's own process, which ends within seconds after its web server or its daemon."""
    if process.poll() is not None:
        raise WarehouseError(
            "Dagster, or a part of Dagster, ended by itself",
            "read Dagster's output above, then start the server again: stockroom ui",
        )


def _fault(health: Health | None) -> WarehouseError:
    if health is None:
        return WarehouseError(
            "Dagster's web server no longer answers",
            "read Dagster's output above, then start the server again: stockroom ui",
        )
    if health.load_error:
        return _not_loaded(health.load_error)
    return WarehouseError(
        f"Dagster's daemon gives no sign of life ({', '.join(health.sick_daemons)}): no run would start by itself",
        "start the server again: stockroom ui",
    )


def _not_loaded(reason: str) -> WarehouseError:
    return WarehouseError(
        f"Dagster cannot load the definitions: {reason}",
        "correct the cause that the message names, then start the server again: stockroom ui",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all processes of the server, including those of its runs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # only a hanging process is left by now
    process.wait()
