"""Execution: runs a job's assets and checks once in this process, with one-line errors."""

from collections.abc import Callable, Mapping
from uuid import uuid4

import dagster as dg

from assets import run_end
from assets.run_context import RunContext
from orchestration.defs.apply_job import APPLY_STEP
from orchestration.defs.build_definitions import assemble
from orchestration.runs.check_failures import explain_failed_checks

_ENDS = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED)


def execute(
    run_context: RunContext, job: str, instance: dg.DagsterInstance, tags: Mapping[str, str] | None = None
) -> str:
    """Run every asset and check of a job, one after another, and return the run's id. Each step is announced as progress.

    Raises:
        WarehouseError: A blocking check failed; the message names the table and the reason.
    """
    run_id = str(uuid4())
    instance.add_event_listener(run_id, _announcing(run_context))
    with run_end.written_down(run_context), explain_failed_checks(instance, run_id):
        assemble(run_context.home.feature_views).resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            resources={"run_context": run_context},
            tags=dict(tags or {}),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return run_id


def _announcing(run_context: RunContext) -> Callable[[dg.EventLogEntry], None]:
    """Return a function that announces the steps of a run by their events, and their ends."""
    ends: dict[str | None, Callable[[int], None]] = {}

    def announce(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type is dg.DagsterEventType.STEP_START and event.step_key != APPLY_STEP:
            ends[event.step_key] = run_context.progress((event.step_key or "").replace("__", "."))
        elif event is not None and event.step_key in ends and event.event_type in _ENDS:
            ends.pop(event.step_key)(1)

    return announce
