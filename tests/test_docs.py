"""The commands and the Python code of README and the guides run in order, and their links have targets.

`make test` and `make slow` run them with less data than they name, `make torture` (where TRIALS is set) as they stand.
"""

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
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.cli import main
from warehouse.declaration.source import Source

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"))]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
MOST_BYTES = 9_000
"""The largest size of README, in bytes; longer text belongs in a guide."""

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# A line, or with `<<'EOF'` all lines down to the next EOF.
COMMAND = re.compile(r"^(?:.*<<'EOF'.*\n(?:.*\n)*?EOF|.+)$", re.MULTILINE)
ASSIGNS = re.compile(r"^[A-Z]+=\$\(", re.MULTILINE)  # such a block is one script
SHELL_ONLY = ("source ", "export ")
SERVES = "stockroom ui"
SERVICE, SERVICE_PORT = "stockroom serve", "8808"  # runs until its page ends
PLAIN = re.compile(r"stockroom [^$`|]+$")
# Whatever the number of epochs and threads, the commands are the same.
SMALL = {
    "STOCKROOM_TRAINING__EPOCHS": "2",
    "STOCKROOM_TRAINING__MIN_QUERIES": "1",  # of a smaller catalog than the page has
    "STOCKROOM_WAREHOUSE__THREADS": "1",
}
SHORTER = {} if "TRIALS" in os.environ else {"--products 500": "--products 200", "--trials 3": "--trials 1"}
HOME = "my-home"
SLOW = {"attributes", "exporting", "feature-views", "going-back", "search", "shop-export", "trust", "tuning"}
"""The guides whose commands build several times, or search in new processes."""


def steps(page: Path) -> list[tuple[str, str]]:
    """Return the code blocks of a page in order: (sh or python, code)."""
    code_blocks: list[tuple[str, str]] = []
    for kind, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        is_one = kind == "python" or ASSIGNS.search(code)
        code_blocks += [(kind, part) for part in ([code] if is_one else COMMAND.findall(code))]
    return code_blocks


def is_run(code: str) -> bool:
    """Tell whether the test runs a command."""
    return not code.startswith((*SHELL_ONLY, "make ")) and code != SERVES


class Shop:
    """Hold a folder in which the README's commands for a catalog were run, and a copy of it for each guide."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._port = SERVICE_PORT
        self._extensions(root / "user")
        folder = root / "readme"
        folder.mkdir()
        (folder / ".venv").symlink_to(Path(sys.prefix))
        self.readme = folder
        self.said = self.follow(README, folder)

    def guide(self, page: Path) -> dict[str, str]:
        """Follow a guide in a folder of its own, and return each command's output."""
        return self.follow(page, self.copy(page.stem))

    def copy(self, name: str) -> Path:
        """Return a copy of the folder that README's commands left."""
        folder = self._root / name
        shutil.copytree(self.readme, folder, symlinks=True, copy_function=_copy_or_link)
        return folder

    def follow(self, page: Path, folder: Path) -> dict[str, str]:
        """Run the code blocks of a page from top to bottom, and return the output of each command."""
        with ExitStack() as servers:
            return {code: self._run(kind, code, folder, servers) for kind, code in steps(page) if is_run(code)}

    def _run(self, kind: str, code: str, folder: Path, servers: ExitStack) -> str:
        if code == SERVICE:
            self._port = servers.enter_context(self._served(folder))
            return "served"
        for written, run in (SHORTER | {f":{SERVICE_PORT}": f":{self._port}"}).items():
            code = code.replace(written, run)
        if kind == "python":
            (folder / "page.py").write_text(code, encoding="utf-8")
            said = self._in_shell("python page.py", folder)
        else:
            said = self._in_process(code, folder) if PLAIN.match(code) else self._in_shell(code, folder)
        if code.startswith("stockroom ") or kind == "python":
            assert said.strip(), f"no answer: {code}"
        return said

    def _in_process(self, command: str, folder: Path) -> str:
        """Run the command in this process, since starting a process takes longer than most commands."""
        with pytest.MonkeyPatch.context() as patch:
            for variable in [name for name in os.environ if name.startswith("STOCKROOM_")]:
                patch.delenv(variable)
            for name, value in self._variables().items():
                patch.setenv(name, value)
            patch.setenv("DAGSTER_HOME", "")  # what a command sets is taken back afterwards
            patch.chdir(folder)
            patch.setattr(sys, "argv", shlex.split(command))
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as exited:
                main()
        assert not exited.value.code, f"{command}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue()

    def _in_shell(self, command: str, folder: Path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STOCKROOM_")}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"source .venv/bin/activate\n{command}"],
            cwd=folder,
            env=environment | self._variables(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def _served(self, folder: Path) -> Iterator[str]:
        """Run the service on the folder's home, and yield its port once it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        command = [str(Path(sys.executable).parent / "stockroom"), "serve", "--port", port]
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | self._variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                        break
                except (urllib.error.URLError, OSError):
                    assert time.monotonic() < deadline, "the service did not answer within two minutes"
                    time.sleep(0.2)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=60)

    def _variables(self) -> dict[str, str]:
        return {**SMALL, "STOCKROOM_HOME": HOME, "HOME": str(self._root / "user")}

    @staticmethod
    def _extensions(user: Path) -> None:
        """Copy the extensions from the wheels to the folder in which INSTALL would put them."""
        for name in ("ducklake", "sqlite_scanner"):
            spec = importlib.util.find_spec(f"duckdb_extension_{name}")
            assert spec is not None
            assert spec.submodule_search_locations
            binary = next(Path(spec.submodule_search_locations[0]).rglob("*.duckdb_extension"))
            platform = duckdb.sql("PRAGMA platform").fetchall()[0][0]
            target = user / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform / binary.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(binary, target)


def _copy_or_link(source: str, target: str) -> None:
    """Copy a file; of the encoder's weights, 90 MB that nothing writes to, make a link."""
    (os.link if Path(source).name == "encoder.bin" else shutil.copy2)(source, target)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("docs"))


def test_the_readme_builds_and_searches_in_six_commands(shop: Shop) -> None:
    section = README.read_text(encoding="utf-8").split("## Your own catalog")[1].split("\n## ")[0]
    (block,) = [code for _, code in BLOCK.findall(section)]
    commands = block.splitlines()
    assert len(commands) == 6
    assert f"export STOCKROOM_HOME={HOME}" in commands
    assert set(filter(is_run, commands)) <= set(shop.said)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page.stem in SLOW), id=page.stem) for page in GUIDES]
)
def test_the_guide_runs(page: Path, shop: Shop) -> None:
    said = shop.guide(page)
    assert said or SERVES in page.read_text(encoding="utf-8")
    if page.stem == "your-own-catalog":
        assert "Nothing changed" in said["stockroom build --raw my-catalog"]
    if page.stem == "serve":
        (found,) = [text for code, text in said.items() if "search?q=velvet" in code]
        assert '"key":"us:N7"' in found
    if page.stem == "deltas":
        assert "N1" in said['stockroom search "velvet accordion" -k 1 --locale us']
        assert "nothing: every row and vector matches the files" in said["stockroom replay"]
    if page.stem == "sql":
        (vectors,) = [text for code, text in said.items() if "lancedb" in code]
        assert re.match(r"\d{3} \['key', .*'vector'", vectors)


def test_ten_questions_are_asked_in_sql() -> None:
    (page,) = [page for page in GUIDES if page.stem == "sql"]
    assert len([code for _, code in steps(page) if re.match(r"stockroom sql [\"']", code)]) >= 10


def test_the_readme_is_short() -> None:
    assert len(README.read_bytes()) <= MOST_BYTES


def test_the_readme_has_every_command() -> None:
    import typer

    from orchestration.cli.app import app

    group: Any = typer.main.get_command(app)
    inner = {f"{name} {below}" for name, each in group.commands.items() for below in getattr(each, "commands", {})}
    listed = re.findall(r"^\| `stockroom ([a-z ]+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted({*group.commands} | inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if place:
            assert place in _places(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_sources_are_declarations(page: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for source in tomllib.loads(block).get("source", []):
            Source.model_validate(source)


def test_the_architecture_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:warehouse|models|assets|orchestration)/[\w/]+\.(?:py|sql))`", text)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def _places(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "command", sorted({code for page in PAGES for _, code in steps(page) if code.startswith("make ")})
)
def test_make_knows_the_target(command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def ui_address(shop: Shop) -> Iterator[str]:
    """The address of a running `stockroom ui`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "stockroom"), *SERVES.split()[1:], "--home", HOME, "--port", str(port)]
    server = subprocess.Popen(
        command, cwd=shop.copy("served"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
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
