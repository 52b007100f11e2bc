"""Ctrl-C and SIGTERM end a command at any moment with one line and the right status; the next command completes its work.

`make test` stops a build at two moments, `make torture` (where TRIALS is set) at all of them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.locks import run_lock
from orchestration.serving.searcher import Searcher
from warehouse.operations import consistency

# As from a terminal: a shell has what it starts in the background ignore Ctrl-C.
FROM_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
STOCKROOM = [sys.executable, "-c", f"{FROM_A_TERMINAL}from orchestration.cli import main; main()"]
MESSAGES = {
    signal.SIGINT: "stopped by Ctrl-C; nothing is lost, and the same command continues from there",
    signal.SIGTERM: "stopped by SIGTERM; nothing is lost, and the same command continues from there",
}
DEADLINE_S = 240
# When a build is stopped: what is true of its home from then on.
MOMENTS = {
    "bringing files in": lambda root: True,
    "cleaning": lambda root: any(root.glob("lake/data/raw/products/*.parquet")),
    "encoding": lambda root: any(root.glob("vectors/embeddings_*.lance/data/*")),
    "writing vectors": lambda root: any(root.glob("vectors/products_*.lance")),
}
CHOSEN = tuple(MOMENTS) if "TRIALS" in os.environ else ("cleaning", "encoding")
# Deep in DuckDB's threads for years, of which no single step takes long.
ENDLESS = """
SELECT count(*) FROM raw.products a, raw.products b, raw.products c, raw.products d WHERE a.key < b.key || c.key || d.key
"""


def start(*arguments):
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    command = [*STOCKROOM, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes)


def wait_until(process, has_come):
    """Wait for a moment of a process that is still running then."""
    deadline = time.monotonic() + DEADLINE_S
    while not has_come():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def wait_until_it_runs(process, root):
    """Wait until a process holds the run lock of a home: what a moment is known by may be there from the run before."""
    lock = root / "run.lock"
    wait_until(process, lambda: lock.exists() and lock.read_text().startswith(f"process {process.pid} "))


def has_open(process, folder):
    """Tell whether a process has a file in a folder open."""
    for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
        with suppress(FileNotFoundError):  # it was closed meanwhile
            if os.readlink(f"/proc/{process.pid}/fd/{descriptor}").startswith(f"{folder}/"):
                return True
    return False


def stop(process, number):
    """Stop a process and its children as a terminal does, and return its exit status and the lines of its standard error."""
    os.killpg(process.pid, number)
    _, message = process.communicate(timeout=DEADLINE_S)
    return process.returncode, message.splitlines()


@pytest.mark.slow
def test_the_next_build_completes_a_stopped_one(built, tmp_path):
    root = tmp_path / "home"
    root.mkdir()
    (root / "stockroom.toml").write_text((built.home / "stockroom.toml").read_text())
    encoders = open_home(load_settings(built.home)).encoders
    shutil.copytree(
        encoders, root / encoders.relative_to(built.home), copy_function=os.link
    )  # to convert it takes seconds
    for place, moment in enumerate(CHOSEN):
        number = (signal.SIGINT, signal.SIGTERM)[place % 2]
        process = start("build", "--raw", built.raw, "--home", root)
        wait_until_it_runs(process, root)
        wait_until(process, lambda: MOMENTS[moment](root))  # noqa: B023 (called at once)
        assert stop(process, number) == (128 + number, [MESSAGES[number]])
    last = start("build", "--raw", built.raw, "--home", root)
    assert last.communicate(timeout=DEADLINE_S)[1] == ""
    assert last.returncode == 0
    home, settings = open_home(load_settings(root)), load_settings(root)
    assert home.releases.require().model_id == built.report["model"]
    assert consistency.key_differences(home, home.releases.require()) == (0, 0)
    whole = open_home(load_settings(built.home))
    assert Searcher(home, settings.encoder).search("lamp", 5) == Searcher(whole, settings.encoder).search("lamp", 5)


def test_a_waiting_run_says_so_and_can_be_stopped(copy_home):
    home = open_home(load_settings(copy_home()))
    with run_lock(home):
        process = start("vacuum", "--home", home.root)
        line = process.stderr.readline()
        assert line.startswith(f"waiting at most 3600 s for process {os.getpid()} (")
        assert line.endswith(f"which holds {home.root / 'run.lock'}\n")
        assert stop(process, signal.SIGTERM) == (143, [MESSAGES[signal.SIGTERM]])


@pytest.mark.parametrize("number", MESSAGES)
def test_a_query_deep_in_native_code_is_stopped(built, number):
    process = start("sql", ENDLESS, "--home", built.home)
    ticks, before = os.sysconf("SC_CLK_TCK"), []

    def has_computed():
        """Tell whether it has computed for a second since it was first seen to have the lake open."""
        with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        seconds = (int(user) + int(system)) / ticks
        if before or has_open(process, built.home / "lake"):
            before.append(seconds)
        return bool(before) and seconds - before[0] > 1

    wait_until(process, has_computed)
    assert stop(process, number) == (128 + number, [MESSAGES[number]])


def test_a_download_whose_server_is_silent_is_stopped(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        process = start("download", "--url", url, "--out", tmp_path / "esci")
        with server.accept()[0]:
            assert stop(process, signal.SIGINT) == (130, [MESSAGES[signal.SIGINT]])


def test_sigterm_stops_what_runs_in_the_background_of_a_script(built, tmp_path):
    root = tmp_path / "home"
    in_background = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from orchestration.cli import main; main()"
    )
    command = [sys.executable, "-c", in_background, "build", "--raw", str(built.raw), "--home", str(root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
    # By then Dagster has put its own handlers in place of others, and has put those back.
    wait_until(process, lambda: any(root.glob("lake/data/staging/products/*.parquet")))
    process.send_signal(signal.SIGINT)
    assert stop(process, signal.SIGTERM) == (143, [MESSAGES[signal.SIGTERM]])


def test_a_signal_that_the_parent_had_ignored_stays_ignored(built):
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    code = "from orchestration.cli.endings import run; import os; run(lambda: os.kill(os.getpid(), signal.SIGINT))"
    assert subprocess.run([sys.executable, "-c", ignoring + code], check=False, capture_output=True).stderr == b""
