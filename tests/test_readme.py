"""The README is true: its commands run, and so does its Python."""

import importlib.util
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import duckdb
import pytest

from orchestration.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
# A line, or with `<<'EOF'` all lines down to the next EOF.
COMMAND = re.compile(r"^(?:.*<<'EOF'.*\n(?:.*\n)*?EOF|.+)$", re.MULTILINE)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in COMMAND.findall(block)]
OWN_CATALOGUE = [line for line in COMMANDS if "my-" in line]
MAKE = [line for line in COMMANDS if line.startswith("make ")]
SHELL_ONLY = ("source ", "export ")
OTHERS = [
    line
    for line in COMMANDS
    if line not in OWN_CATALOGUE + MAKE and line != "stockroom ui" and not line.startswith(SHELL_ONLY)
]
PLAIN = re.compile(r"stockroom [^$`|]+$")
# Whatever the number of epochs and threads, the commands are the same.
SMALL = {"STOCKROOM_TRAINING__EPOCHS": "2", "STOCKROOM_WAREHOUSE__THREADS": "1"}
EXPORTED = dict(line.removeprefix("export ").split("=") for line in COMMANDS if line.startswith("export "))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands for one's own catalogue have run; its home stands in for the demo's."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    for name in ("ducklake", "sqlite_scanner"):  # what INSTALL would fetch, from the wheels
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        assert spec is not None
        assert spec.submodule_search_locations
        binary = next(Path(spec.submodule_search_locations[0]).rglob("*.duckdb_extension"))
        platform = duckdb.sql("PRAGMA platform").fetchall()[0][0]
        target = folder / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform / binary.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(binary, target)
    said = [run(command, folder) for command in OWN_CATALOGUE]
    (folder / "second_build.txt").write_text(
        said[OWN_CATALOGUE.index("stockroom build --home my-home")], encoding="utf-8"
    )
    shutil.copytree(folder / "my-home", folder / ".stockroom" / "demo" / "home")
    return folder


def run(command: str, folder: Path) -> str:
    """Run a line of the README as a person who followed it up to there would, and return its output."""
    return _in_process(command, folder) if PLAIN.match(command) else _in_shell(command, folder)


def _in_process(command: str, folder: Path) -> str:
    """Run it as the installed command does, without a new process, which takes longer to start than most to answer."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("STOCKROOM_")]:
            patch.delenv(variable)
        for name, value in (SMALL | EXPORTED).items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(folder))
        patch.setenv("DAGSTER_HOME", "")  # what a command sets is taken back afterwards
        patch.chdir(folder)
        patch.setattr(sys, "argv", shlex.split(command))
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as exited:
            main()
    assert not exited.value.code, f"{command}\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue()


def _in_shell(command: str, folder: Path) -> str:
    before = "\n".join(line for line in COMMANDS if line.startswith(SHELL_ONLY))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCKROOM_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{before}\n{command}"],
        cwd=folder,
        env={**environment, **SMALL, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_second_build_says_that_nothing_changed(shop: Path) -> None:
    assert "Nothing changed" in (shop / "second_build.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", OTHERS)
def test_the_command_runs_and_answers(command: str, shop: Path) -> None:
    assert run(command, shop).strip()


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_the_target(command: str) -> None:
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_ten_questions_are_asked_in_sql() -> None:
    assert len([command for command in COMMANDS if re.match(r"stockroom sql [\"']", command)]) >= 10


def test_the_python_opens_the_vectors(shop: Path) -> None:
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    (shop / "open_vectors.py").write_text(code, encoding="utf-8")
    assert re.match(r"501 \['key', .*'vector'", run("python open_vectors.py", shop))


@pytest.fixture
def ui_address(shop: Path) -> Iterator[str]:
    """The address of a running `stockroom ui`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "stockroom"), "ui", "--home", "my-home", "--port", str(port)]
    assert "stockroom ui" in COMMANDS
    server = subprocess.Popen(
        command, cwd=shop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    yield f"http://127.0.0.1:{port}/server_info"
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(timeout=60)


def test_the_ui_answers(ui_address: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(ui_address, timeout=5) as answer:
                assert b"dagster_version" in answer.read()
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, "the UI did not answer within two minutes"
            time.sleep(0.5)
