"""The service over the built home, asked in this process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings, load_settings
from orchestration.service.app import create_app
from orchestration.service.live_release import LiveRelease

ADDRESS = "http://localhost"


@pytest.fixture(scope="session")
def live(built) -> LiveRelease:
    """The release of the built home, opened once."""
    settings = load_settings(built.home)
    return LiveRelease(open_home(settings), settings.encoder)


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
