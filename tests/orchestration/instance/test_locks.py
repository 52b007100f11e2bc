"""One run at a time in a home."""

import os
import signal
import subprocess
import sys

import pytest

from orchestration.instance.locks import in_progress, is_running, run_lock, was_killed
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.settings import WarehouseSettings


def test_a_second_run_waits_and_then_gives_up_with_a_clear_line(tmp_path):
    home = Home(tmp_path, WarehouseSettings(lock_timeout_s=0.1))
    with (
        run_lock(home),
        pytest.raises(WarehouseError, match=r"run\.lock has been locked by another process"),
        run_lock(home),
    ):
        pass


def test_the_lock_is_free_again_after_an_error(tmp_path):
    home = Home(tmp_path, WarehouseSettings(lock_timeout_s=0.1))
    with pytest.raises(RuntimeError, match="broken"), run_lock(home):
        raise RuntimeError("broken")
    with run_lock(home):
        pass


def test_homes_do_not_wait_for_each_other(tmp_path):
    settings = WarehouseSettings(lock_timeout_s=0.1)
    with run_lock(Home(tmp_path / "one", settings)), run_lock(Home(tmp_path / "other", settings)):
        pass


def test_only_a_killed_run_leaves_its_file(tmp_path):
    home = Home(tmp_path)
    with in_progress(home):
        assert was_killed(home)  # as another would see it, were it not for the lock
    with pytest.raises(RuntimeError, match="broken"), in_progress(home):
        raise RuntimeError("broken")
    assert not was_killed(home)
    script = (
        "import os, pathlib, signal, sys; from orchestration.instance.locks import in_progress; from warehouse.home import Home\n"
        "with in_progress(Home(pathlib.Path(sys.argv[1]))): os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", script, tmp_path], check=False, env=os.environ)
    assert died.returncode == -signal.SIGKILL
    assert was_killed(home)


def test_whether_a_run_is_in_progress_is_seen_without_a_trace(tmp_path):
    home = Home(tmp_path)
    assert not is_running(home)
    assert not list(tmp_path.iterdir())
    with run_lock(home):
        assert is_running(home)
    assert not is_running(home)
