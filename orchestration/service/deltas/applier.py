"""The applier: one process that stays and applies posted deltas, so that imports and open stores are paid for once."""

import gc
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.config.serve import TOKENS
from orchestration.instance.locks import applier_lock
from orchestration.service.deltas.queue import DeltaQueue, Posted
from orchestration.service.parent_process import end_with_parent
from orchestration.service.request_log import Log
from warehouse.errors import LockedError, WarehouseError

if TYPE_CHECKING:
    from orchestration.commands.apply import ApplyReport

_LOG = logging.getLogger("stockroom.service")
_POLL_S = 0.03
_MOST_FILES = 20  # in one run
_ATTEMPTS, _RETRY_S = 3, 2.0
_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000
_OF_A_RUN = ("assets.services.serving_model", "orchestration.commands.build", "orchestration.definitions")
_RESTART_S = (1.0, 30.0)  # the first and the longest wait before a process that ended is started again


class Applier:
    """Start the process, start it again if it ends, and end it with this process, however that ends."""

    def __init__(self, home: Path) -> None:
        self._home, self._stop = home, threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Applier":
        self._thread = threading.Thread(target=self._supervise, name="applier", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _supervise(self) -> None:
        pause_s = _RESTART_S[0]
        while not self._stop.is_set():
            spawn, started = multiprocessing.get_context("spawn"), time.monotonic()
            process = spawn.Process(target=_run, args=(self._home,), name="applier", daemon=True)
            process.start()
            while process.is_alive() and not self._stop.wait(_POLL_S * 10):
                pass
            if self._stop.is_set():
                process.kill()  # as safe as any other end: what waits is applied by the next one
            process.join()
            if not self._stop.is_set():
                _LOG.error("the process that applies deltas ended with %s; it is started again", process.exitcode)
                pause_s = (
                    _RESTART_S[0] if time.monotonic() - started > _RESTART_S[1] else min(2 * pause_s, _RESTART_S[1])
                )
                self._stop.wait(pause_s)


def _run(home: Path) -> None:
    """Apply what is posted to a home until the process that started this one ends."""
    os.setsid()  # Ctrl-C reaches the process that started this one, which then ends this one
    for name in TOKENS:
        os.environ.pop(f"STOCKROOM_SERVE__{name.upper()}", None)
    end_with_parent()
    from orchestration.commands.apply import apply
    from orchestration.config.open_context import open_run_context
    from orchestration.config.settings import load_settings

    run_context = open_run_context(load_settings(home))
    queue, log = DeltaQueue(run_context.home.root), Log()
    with applier_lock(run_context.home, float("inf")):
        _warm_up()
        queue.prune()
        while True:
            batch = next_batch(queue.waiting())
            if batch:
                apply_batch(queue, batch, lambda files: apply(run_context, files), log)
                gc.collect()
            else:
                time.sleep(_POLL_S)


def next_batch(waiting: Sequence[Posted]) -> list[Posted]:
    """Return the files of the next run: the first ones that wait, as long as their names differ."""
    batch: list[Posted] = []
    for each in waiting[:_MOST_FILES]:
        if each.path.name in {other.path.name for other in batch}:
            break
        batch.append(each)
    return batch


def apply_batch(
    queue: DeltaQueue, batch: Sequence[Posted], apply: Callable[[list[Path]], "ApplyReport"], log: Log
) -> None:
    """Apply files in one run, and write down the outcome of each; if one of several is refused, apply them one by one."""
    began = time.monotonic()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            report = apply([each.path for each in batch])
        except LockedError:
            time.sleep(_RETRY_S)
            return  # they wait still
        except Exception as error:  # noqa: BLE001 whatever fails, the process goes on
            is_refused = isinstance(error, WarehouseError)
            if len(batch) > 1:
                for each in batch:
                    apply_batch(queue, [each], apply, log)
                return
            if not is_refused and attempt < _ATTEMPTS:
                _LOG.error("an apply failed; it is tried again", exc_info=error)
                time.sleep(_RETRY_S * attempt)
                continue
            outcomes = [_failure(batch[0], error, is_refused=is_refused)]
        else:
            outcomes = [_outcome(each, report) for each in batch]
        break
    for each, outcome in zip(batch, outcomes, strict=True):
        queue.finish(each, outcome)
        seconds = round(time.monotonic() - began, 3)
        log(
            "delta",
            id=each.id,
            state=outcome["state"],
            release=outcome.get("release"),
            run=outcome.get("run"),
            s=seconds,
        )


def _warm_up() -> None:
    """Import what a run needs; what stays for good is then left out of garbage collections, which take seconds of a run."""
    for module in _OF_A_RUN:
        import_module(module)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _outcome(posted: Posted, report: "ApplyReport") -> dict[str, Any]:
    file = next((each for each in report.files if each["name"] == posted.path.name), None)
    return {
        "id": posted.id,
        "state": "applied",
        "name": posted.path.name,
        "release": report.release,
        "run": report.run.run_id if report.run is not None else None,
        "file": file,
        "refused": report.quarantined,
    }


def _failure(posted: Posted, error: Exception, *, is_refused: bool) -> dict[str, Any]:
    outcome = {"id": posted.id, "name": posted.path.name, "state": "refused" if is_refused else "failed"}
    if isinstance(error, WarehouseError):
        folder = f"{posted.folder}{os.sep}"
        return outcome | {"detail": error.message.replace(folder, ""), "hint": error.hint.replace(folder, "")}
    return outcome | {"detail": f"the run failed: {type(error).__name__}", "hint": "the log of the service tells more"}
