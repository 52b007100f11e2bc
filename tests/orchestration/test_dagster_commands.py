"""Dagster's own commands work from a clone, and on a home."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "ui.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def home(copy_home):
    return open_home(load_settings(copy_home()))


@pytest.fixture(scope="module")
def environment(home):
    """Return the environment of a person who works on a home with Dagster's commands."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("STOCKROOM_", "DAGSTER_"))}
    return own | {"STOCKROOM_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}


def dg(environment, *arguments):
    done = subprocess.run(
        [BIN / "dg", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_dg_lists_an_asset_with_its_checks(environment):
    listed = json.loads(dg(environment, "list", "defs", "--json", "--assets", 'key:"registry/lineage"'))
    assert [asset["asset_key"] for asset in listed["assets"]] == ["registry/lineage"]
    assert [check["name"] for check in listed["asset_checks"]] == ["contract"]


def test_dg_materializes_an_asset_of_the_home(environment, home):
    with open_instance(home) as instance:
        before = len(instance.get_runs())
    assert "dg launch --assets 'key:\"registry/lineage\"'" in GUIDE
    dg(environment, "launch", "--assets", 'key:"registry/lineage"')
    with open_instance(home) as instance:
        newest = instance.get_runs(limit=1)[0]
        assert (len(instance.get_runs()), newest.is_success) == (before + 1, True)


def test_dagster_dev_serves_the_definitions(environment):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = "dagster dev -m orchestration.definitions"
    assert command in GUIDE
    server = subprocess.Popen(
        [BIN / "dagster", *command.split()[1:], "-p", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    query = json.dumps({"query": "{ assetNodes { assetKey { path } } }"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"})
    try:
        nodes = _answer(request, server)["data"]["assetNodes"]
    finally:
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=PATIENCE_S)
    assert {"path": ["releases", "live"]} in [node["assetKey"] for node in nodes], output


def _answer(request, server):
    """Return the server's answer once it has loaded the definitions."""
    end = monotonic() + PATIENCE_S
    while monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found = json.load(answer)
            if found["data"]["assetNodes"]:
                return found
        except OSError:  # it does not listen yet
            pass
        sleep(0.2)
    pytest.fail("dagster dev served no assets")
