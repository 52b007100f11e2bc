"""The built home, opened, and a searcher of its live release."""

import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher


@pytest.fixture(scope="module")
def home(built):
    return open_home(load_settings(built.home))


@pytest.fixture(scope="module")
def searcher(home, built):
    return Searcher(home, load_settings(built.home).encoder)
