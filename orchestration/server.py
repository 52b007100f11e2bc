"""The server of the UI: Dagster's web server, daemon and code server, started together and stopped together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from orchestration.instance import bury_runs_of_a_dead_server, open_instance, prepare_instance, server_lock
from warehouse.errors import WarehouseError
from warehouse.home import Home

_POLL_S = 0.2
_GRACE_S = 60.0  # a step that is deep in native code hears of the end only when it comes back
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    """Someone asked the server to stop: Ctrl-C, SIGTERM, or a terminal that was closed."""


def serve(home: Home, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the UI of a home until someone stops it; runs that it started and that are not over fail then.

    Args:
        home: The home to show, whose runs use it and no other.
        host: Address to listen on.
        port: Port to listen on.
        on_ready: Is told the address of the asset graph once a browser can open it.

    Raises:
        WarehouseError: The port is not to be had, the home is served already, or Dagster ended by itself.
    """
    _check_port(host, port)
    with _only_server(home):
        _serve(home, host, port, on_ready)


def _serve(home: Home, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    before = {each: signal.signal(each, _stop) for each in _SIGNALS}
    process = _start(home, host, port)
    try:
        _wait_until_open(process, host, port)
        on_ready(f"http://{host}:{port}/asset-groups")
        process.wait()
        raise WarehouseError("Dagster ended by itself", "see what it wrote above")
    except _Stopped:
        pass
    finally:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not leave half of the processes behind
        _end(process)
        for each, handler in before.items():
            signal.signal(each, handler)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Stopped


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise WarehouseError(
                f"cannot listen on {host}:{port}: {error.strerror}", "choose another: --port N"
            ) from error


@contextmanager
def _only_server(home: Home) -> Iterator[None]:
    """Hold the lock of the one server that a home may have, and clear away what one that was killed left behind."""
    with ExitStack() as stack:
        try:
            stack.enter_context(server_lock(home))
        except WarehouseError as error:
            raise WarehouseError(f"another `stockroom ui` serves {home.root}", "use that one, or stop it") from error
        with open_instance(home) as instance:
            bury_runs_of_a_dead_server(instance)
        yield


def _start(home: Home, host: str, port: int) -> subprocess.Popen[bytes]:
    directory = prepare_instance(home)
    home.incoming.mkdir(exist_ok=True)  # so that people find where to drop files
    # Python's -m would put the caller's folder first on the path, where another `models` may lie.
    own = {"STOCKROOM_HOME": str(home.root), "DAGSTER_HOME": str(directory), "PYTHONSAFEPATH": "1"}
    command = ["-W", "ignore:Function `dev_command`", "-m", "dagster", "dev", "--log-level", "warning"]
    where = ["-w", str(directory / "workspace.yaml"), "-h", host, "-p", str(port)]
    # A session of its own: Ctrl-C reaches this process alone, which then ends all of them in order.
    return subprocess.Popen([sys.executable, *command, *where], env=os.environ | own, start_new_session=True)


def _wait_until_open(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    while process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), timeout=_POLL_S):
            return
        time.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all processes of the server, those of running runs too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # nothing is left by now, unless it hangs
    process.wait()
