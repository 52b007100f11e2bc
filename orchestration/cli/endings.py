"""Endings: the exit status of a command and, after a failure, one line on standard error."""

import errno
import logging
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType

_STOPS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
STOPPED = tuple(128 + each for each in _STOPS)
"""The exit statuses of a command that was stopped: 130 and 143."""

_FAULT = "this is a fault of Stockroom; run again as stockroom --debug … to see where"
_ROOM = "free disk space there, then run again: the data written so far is complete"
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
    os.strerror(errno.EISDIR): "give the path of a file",
    os.strerror(errno.ENOTDIR): "give a path whose parent is a folder",
    os.strerror(errno.EMFILE): "raise the limit of open files (ulimit -n), then run again",
    os.strerror(errno.EIO): "check that disk: its data cannot be read back",
    "Cannot open file": _DAMAGE,  # DuckDB's
    "file is not a database": _DAMAGE,
    "database disk image is malformed": _DAMAGE,
    "Out of Memory Error": "lower warehouse.threads, or raise warehouse.memory_gb if the machine has more",
}
"""Hints for failures of the machine, by the words of the underlying system: every library quotes them."""

_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
_AT_ONCE_S, _AGAIN_S = 0.05, 5.0

_is_debugging = False


def show_tracebacks(is_on: bool) -> None:
    """Turn the tracebacks of errors on or off."""
    global _is_debugging
    _is_debugging = is_on


def run(command: Callable[[], object]) -> int:
    """Run a command to its end; return 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 stopped by SIGTERM.

    A stop raises KeyboardInterrupt in the command. Libraries turn it into their own errors, so the signal, not the error,
    decides whether the command was stopped.
    """
    with _signals() as first_signal:
        try:
            command()
            return 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            raised: BaseException = ended
        except BaseException as error:  # noqa: BLE001 every error becomes one line
            status, raised = 1, error
        stop = first_signal() if status else None
        if stop is not None:
            status = 128 + stop
            line = f"stopped by {_STOPS[stop]}; nothing is lost, and the same command continues from there"
        elif isinstance(raised, SystemExit):
            return status  # the code that exits has printed the reason
        else:
            line = error_line(raised)
        if _is_debugging:
            traceback.print_exception(raised)
        print(line, file=sys.stderr)
        return status


def error_line(error: BaseException) -> str:
    """Return the one-line message of an error: the problem and its fix."""
    from models.errors import ModelError
    from warehouse.errors import WarehouseError

    if isinstance(error, WarehouseError | ModelError):
        return f"error: {'; '.join(line.strip() for line in str(error).splitlines())}"
    message = " ".join(str(error).split()).removesuffix(".")
    for words, hint in _MACHINE.items():
        if words in message:
            return f"error: {message}; {hint}"
    if isinstance(error, MemoryError):
        return "error: this machine has too little memory; close other programs, or lower warehouse.memory_gb"
    return f"error: {type(error).__name__}{': ' if message else ''}{message} ({_FAULT})"


@contextmanager
def _signals() -> Iterator[Callable[[], signal.Signals | None]]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt; yield a function that returns the first of them, or None.

    Python writes every signal to the pipe, even while a library has replaced the handler. A signal that the parent process
    set to be ignored stays ignored, such as Ctrl-C for background processes of a script. It gets a handler nevertheless,
    since Dagster gives SIGTERM the handler of Ctrl-C. If the command goes on, some library dropped the exception: the signal is
    sent again, at once where Python tells of it, and every five seconds.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    pending_signals, reading, has_ended = bytearray(), threading.Lock(), threading.Event()

    def first_signal() -> signal.Signals | None:
        with reading, suppress(BlockingIOError):
            pending_signals.extend(os.read(reader, 4096))
        return next((signal.Signals(number) for number in pending_signals if number in handled), None)

    def send_again() -> None:
        while first_signal() is None and not has_ended.is_set():
            select.select([reader], [], [])
        while not has_ended.wait(_AGAIN_S):
            os.kill(os.getpid(), signal.SIGINT)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if number in handled and not has_ended.is_set():
            raise KeyboardInterrupt

    def send_dropped_again() -> None:
        """Send a signal again that arrived in a finalizer or a weak reference's callback: Python drops its exception."""
        while (unraisable := dropped.get()) is not None:
            if unraisable.exc_type.__name__ not in _INTERRUPTS:
                hook_before(unraisable)
            elif not has_ended.wait(_AT_ONCE_S):
                os.kill(os.getpid(), signal.SIGINT)

    dropped: SimpleQueue[sys.UnraisableHookArgs | None] = SimpleQueue()
    # No function of Python's: the next signal would raise at its beginning, which Python reports on standard error.
    hook_before, sys.unraisablehook = sys.unraisablehook, dropped.put
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # it logs a stop that meets it with a traceback
    handled = {each for each in _STOPS if signal.getsignal(each) is not signal.SIG_IGN}
    before = {each: signal.signal(each, interrupt) for each in _STOPS}
    fd_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watchers = [threading.Thread(target=each, name="signals", daemon=True) for each in (send_again, send_dropped_again)]
    for watcher in watchers:
        watcher.start()
    try:
        yield first_signal
    finally:
        has_ended.set()
        sys.unraisablehook = hook_before
        signal.set_wakeup_fd(fd_before)
        os.close(writer)  # which ends the wait of the one, as this ends that of the other
        dropped.put(None)
        for watcher in watchers:
            watcher.join()
        for each, handler in before.items():  # now that no watcher sends a signal
            signal.signal(each, handler)
        os.close(reader)
