"""Incoming: applies the delta files that wait in a home's folder incoming/, for users without Dagster's daemon."""

import time
from dataclasses import dataclass, replace

from assets.run_context import RunContext
from orchestration.commands.apply import ApplyReport, apply
from orchestration.instance.locks import incoming_lock, run_lock
from warehouse.home import Home
from warehouse.operations.inbox import Sorting, sort_incoming


@dataclass(frozen=True)
class IncomingReport:
    """Report the outcome of each file by name, and the report of `apply`; `apply` is None if no file had to be applied.

    `failed` maps names to reasons, `unsettled` lists files that may still be written, `left_to` is the id of the UI's run
    that applies the files, if there is one.
    """

    done: list[str]
    failed: dict[str, str]
    unsettled: list[str]
    left_to: str | None
    apply: ApplyReport | None


def apply_incoming(run_context: RunContext, settle_s: float) -> IncomingReport:
    """Apply the files that wait in incoming/ and move them to done/; other files go to failed/ with a reason.

    The function waits up to `settle_s` seconds for files that were just written.

    Raises:
        WarehouseError: See `apply`; the files stay where they are.
    """
    home = run_context.home
    with incoming_lock(home, home.settings.lock_timeout_s):
        sorting = _sort(home, settle_s)
        if sorting.unsettled:
            time.sleep(settle_s)
            sorting = _merge(sorting, _sort(home, settle_s))
        if not sorting.batch:
            return _report(sorting)
        from orchestration.instance.dagster_instance import (  # imports Dagster, which takes seconds
            batch_in_progress,
            open_instance,
        )

        with open_instance(home) as instance:
            left_to = batch_in_progress(home, instance)
        if left_to is not None:
            return _report(sorting, left_to=left_to)
        apply_report = apply(run_context, [file.path for file in sorting.batch])
        return _report(_merge(sorting, _sort(home, settle_s)), apply_report)


def _sort(home: Home, settle_s: float) -> Sorting:
    with run_lock(home):
        return sort_incoming(home, settle_s)


def _merge(earlier: Sorting, later: Sorting) -> Sorting:
    return replace(later, done=earlier.done + later.done, failed=earlier.failed | later.failed)


def _report(sorting: Sorting, apply_report: ApplyReport | None = None, left_to: str | None = None) -> IncomingReport:
    return IncomingReport(list(sorting.done), sorting.failed, list(sorting.unsettled), left_to, apply_report)
