"""A command ends with the right status and, where something went wrong, one line."""

import errno
import os
import signal
import sys
import threading
import time
from contextlib import suppress

import pytest

from models.errors import ModelError
from orchestration.cli.endings import error_line, run
from warehouse.errors import WarehouseError


def ends(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (1, 1), (2, 2), ("told already", 1)])
def test_an_exit_keeps_its_status_and_says_no_more(code, status, capsys):
    assert run(ends(SystemExit(code))) == status
    assert run(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [WarehouseError, ModelError])
def test_our_errors_show_problem_and_hint(kind, capsys):
    assert run(ends(kind("it is gone", "bring it back"))) == 1
    assert capsys.readouterr().err == "error: it is gone; bring it back\n"
    assert error_line(kind("it is gone")) == "error: it is gone"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/h/lake"),
            "error: [Errno 28] No space left on device: '/h/lake'; "
            "free disk space there, then run again: the data written so far is complete",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/h"),
            "error: [Errno 13] Permission denied: '/h'; give this user the right to it, or name another path",
        ),
        (
            RuntimeError("IO Error: Could not write file: No space left on device."),
            "error: IO Error: Could not write file: No space left on device; "
            "free disk space there, then run again: the data written so far is complete",
        ),
        (
            MemoryError(),
            "error: this machine has too little memory; close other programs, or lower warehouse.memory_gb",
        ),
    ],
)
def test_what_the_machine_refuses_is_no_fault_of_the_program(error, line):
    assert error_line(error) == line


def test_any_other_error_is_one_line_however_many_it_has(capsys):
    assert run(ends(KeyError("a\nb"))) == 1
    assert run(ends(ValueError("one\n  two."))) == 1
    fault = "(this is a fault of Stockroom; run again as stockroom --debug … to see where)"
    assert capsys.readouterr().err.splitlines() == [
        f"error: KeyError: 'a\\nb' {fault}",
        f"error: ValueError: one two {fault}",
    ]


def test_an_interrupt_that_no_signal_brought_is_a_failure():
    assert run(ends(KeyboardInterrupt())) == 1
    assert "orchestration.cli.endings" in sys.modules


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_whose_exception_python_drops_takes_effect_nevertheless(capsys, number):
    class Finalized:
        def __del__(self):
            signal.raise_signal(number)

    def command():
        Finalized()
        time.sleep(30)

    assert run(command) == 128 + number
    assert capsys.readouterr().err.startswith("stopped by ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_whose_exception_a_library_drops_takes_effect_nevertheless(capsys, monkeypatch, number):
    monkeypatch.setattr("orchestration.cli.endings._AGAIN_S", 0.2)

    def command():
        with suppress(BaseException):  # as libraries do it
            signal.raise_signal(number)
        time.sleep(30)

    assert run(command) == 128 + number
    assert capsys.readouterr().err.startswith("stopped by ")


def test_a_command_that_ends_leaves_no_thread_and_no_open_file_behind():
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert run(lambda: None) == 0
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
