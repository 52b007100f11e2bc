"""Endings: how a command ends, as an exit status and, where something went wrong, one line on standard error."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOPS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
STOPPED = tuple(128 + each for each in _STOPS)
"""The exit statuses of a command that was stopped: 130 and 143."""

_FAULT = "this is a fault of Stockroom; run again as stockroom --debug … to see where"
_ROOM = "make room there, then run again: what was written is whole"
_RIGHT = "give this user the right to it, or name another path"
_DAMAGE = "a file of the home is lost or damaged: put a copy of the home in its place, or build a new one: --home DIR"
_MACHINE = {
    os.strerror(errno.ENOSPC): _ROOM,
    os.strerror(errno.EDQUOT): _ROOM,
    "database or disk is full": _ROOM,  # SQLite's words
    os.strerror(errno.EROFS): "name a home on a disk that can be written to: --home DIR",
    "attempt to write a readonly database": _RIGHT,
    os.strerror(errno.EACCES): _RIGHT,
    os.strerror(errno.EPERM): _RIGHT,
    os.strerror(errno.EISDIR): "name a file",
    os.strerror(errno.ENOTDIR): "name a path whose parent is a folder",
    os.strerror(errno.EMFILE): "raise the limit of open files (ulimit -n), then run again",
    os.strerror(errno.EIO): "look at that disk: it does not give back what was written",
    "Cannot open file": _DAMAGE,  # DuckDB's
    "file is not a database": _DAMAGE,
    "database disk image is malformed": _DAMAGE,
    "Out of Memory Error": "lower warehouse.threads, or raise warehouse.memory_gb if the machine has more",
}
"""What the machine may refuse or have lost, whichever library meets it first: they quote the words of the system below."""

_is_debugging = False


def show_tracebacks(is_wanted: bool) -> None:
    """Have errors print their traceback too, or not."""
    global _is_debugging
    _is_debugging = is_wanted


def run(command: Callable[[], object]) -> int:
    """Run a command to its end; return 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 stopped by SIGTERM.

    A stop reaches the command as KeyboardInterrupt. Libraries turn that into errors of their own on the way up, so that the
    signal itself tells of a stop, not the error.
    """
    with _signals() as arrived:
        try:
            command()
            return 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            raised: BaseException = ended
        except BaseException as error:  # noqa: BLE001 people are told in one line of whatever it is
            status, raised = 1, error
        stop = arrived() if status else None
        if stop is not None:
            status = 128 + stop
            line = f"stopped by {_STOPS[stop]}; nothing is lost, and the same command goes on from there"
        elif isinstance(raised, SystemExit):
            return status  # whoever exits has said why
        else:
            line = told(raised)
        if _is_debugging:
            traceback.print_exception(raised)
        print(line, file=sys.stderr)
        return status


def told(error: BaseException) -> str:
    """Return the line that tells of an error: what is wrong, and what mends it."""
    from models.errors import ModelError
    from warehouse.errors import WarehouseError

    if isinstance(error, WarehouseError | ModelError):
        return f"error: {'; '.join(line.strip() for line in str(error).splitlines())}"
    said = " ".join(str(error).split()).removesuffix(".")
    for words, hint in _MACHINE.items():
        if words in said:
            return f"error: {said}; {hint}"
    if isinstance(error, MemoryError):
        return "error: this machine has too little memory; close other programs, or lower warehouse.memory_gb"
    return f"error: {type(error).__name__}{': ' if said else ''}{said} ({_FAULT})"


@contextmanager
def _signals() -> Iterator[Callable[[], signal.Signals | None]]:
    """Have Ctrl-C and SIGTERM raise KeyboardInterrupt; yield what tells which of them came first, if one did.

    Python writes every signal to the pipe, also while a library has put a handler of its own in place of ours. A signal that
    the parent process told this one to ignore stays ignored: Ctrl-C for what a script starts in the background. It gets a
    handler all the same, since Dagster gives SIGTERM whatever Ctrl-C has.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)

    def arrived() -> signal.Signals | None:
        try:
            came = os.read(reader, 4096)
        except BlockingIOError:
            return None
        return next((signal.Signals(number) for number in came if number in heard), None)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if number in heard:
            raise KeyboardInterrupt

    heard = {each for each in _STOPS if signal.getsignal(each) is not signal.SIG_IGN}
    before = {each: signal.signal(each, interrupt) for each in _STOPS}
    fd_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield arrived
    finally:
        signal.set_wakeup_fd(fd_before)
        for each, handler in before.items():
            signal.signal(each, handler)
        os.close(reader)
        os.close(writer)
