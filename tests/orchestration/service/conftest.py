"""The service over the built home, asked in this process, and as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings, load_settings
from orchestration.service.app import create_app
from orchestration.service.release_follower import ReleaseFollower

ADDRESS = "http://localhost"
PATIENCE_S = 240


@pytest.fixture(scope="session")
def live(built) -> ReleaseFollower:
    """The release of the built home, opened once."""
    settings = load_settings(built.home)
    return ReleaseFollower(open_home(settings), settings.encoder)


@pytest.fixture(scope="session")
def settings(built) -> Settings:
    return load_settings(built.home)


@pytest.fixture(scope="session")
def client(settings, live) -> Iterator[TestClient]:
    """A client of the service as it is without any setting."""
    with TestClient(create_app(settings, live), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def serving(settings, live) -> Iterator[Callable[..., TestClient]]:
    """Return what makes a client of a service with some settings of `serve`."""
    opened: list[Any] = []

    def make(**serve: Any) -> TestClient:
        chosen = settings.serve.model_copy(update=serve)
        client = TestClient(create_app(settings.model_copy(update={"serve": chosen}), live), base_url=ADDRESS)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


class Server:
    """A running `stockroom serve`."""

    def __init__(self, home: Path, *options: str, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("STOCKROOM_", "DAGSTER_"))}
        clean |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).parents[3])} | environment
        command = ["-c", "from orchestration.cli import main; main()", "serve", "--home", str(home)]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--port", str(self.port), *options],
            env=clean,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S, trust_env=False)

    def wait(self, *, for_deltas: bool = False) -> "Server":
        """Wait until searches are answered, and until deltas are applied."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
            assert time.monotonic() < deadline
            try:
                if self.client.get("/readyz").json()["takes_deltas"] or not for_deltas:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)

    def children(self) -> list[int]:
        """Return the processes that any thread of the service started."""
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(each) for file in lists for each in file.read_text().split())

    def kill_child(self, number: int) -> None:
        """End one of them at once."""
        child = self.children()[number]
        os.kill(child, signal.SIGKILL)
        with suppress(FileNotFoundError):
            while Path(f"/proc/{child}/cmdline").read_bytes():  # empty once it has ended
                time.sleep(0.01)

    def kill(self) -> None:
        """End the process at once, as a loss of power does; its children notice by themselves."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the process and forget it."""
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Return what starts a server."""
    servers: list[Server] = []

    def begin(*arguments: Any, **environment: str) -> Server:
        servers.append(Server(*arguments, **environment))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()
