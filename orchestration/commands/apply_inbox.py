"""Incoming: what waits in a home's folder of delta files, brought in by one `apply`, for those without Dagster's daemon."""

import time
from dataclasses import dataclass, replace

from assets.run_context import RunContext
from orchestration.commands.apply import ApplyReport, apply
from orchestration.instance.locks import incoming_lock, run_lock
from warehouse.home import Home
from warehouse.operations.inbox import Sorting, sort_incoming


@dataclass(frozen=True)
class IncomingReport:
    """Tell what became of the files by name, and what the apply made of them; `apply` is None where none had to come in.

    `failed` holds a reason for each, `unsettled` those that may still be written, `left_to` the run of the UI that is
    bringing them in, if there is one.
    """

    done: list[str]
    failed: dict[str, str]
    unsettled: list[str]
    left_to: str | None
    apply: ApplyReport | None


def apply_incoming(run_context: RunContext, settle_s: float) -> IncomingReport:
    """Bring in the files that wait in incoming/ and move them to done/; what is no delta goes to failed/ with a reason.

    Waits up to `settle_s` seconds for files that were just written.

    Raises:
        WarehouseError: As `apply`: the files stay where they are.
    """
    home = run_context.home
    with incoming_lock(home, home.settings.lock_timeout_s):
        first = _sort(home, settle_s)
        if first.unsettled:
            time.sleep(settle_s)
            first = _joined(first, _sort(home, settle_s))
        if not first.batch:
            return _report(first)
        from orchestration.instance.dagster_instance import (  # Dagster comes with it, which takes seconds
            batch_in_progress,
            open_instance,
        )

        with open_instance(home) as instance:
            left_to = batch_in_progress(home, instance)
        if left_to is not None:
            return _report(first, left_to=left_to)
        applied = apply(run_context, [file.path for file in first.batch])
        return _report(_joined(first, _sort(home, settle_s)), applied)


def _sort(home: Home, settle_s: float) -> Sorting:
    with run_lock(home):
        return sort_incoming(home, settle_s)


def _joined(first: Sorting, then: Sorting) -> Sorting:
    return replace(then, done=first.done + then.done, failed=first.failed | then.failed)


def _report(sorting: Sorting, applied: ApplyReport | None = None, left_to: str | None = None) -> IncomingReport:
    return IncomingReport(list(sorting.done), sorting.failed, list(sorting.unsettled), left_to, applied)
