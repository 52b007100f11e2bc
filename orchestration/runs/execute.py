"""Execution: runs a job's assets and checks once in this process, with one-line errors."""

from collections.abc import Mapping
from uuid import uuid4

import dagster as dg

from assets import run_end
from assets.run_context import RunContext
from orchestration.defs.build_definitions import assemble
from orchestration.runs.check_failures import explain_failed_checks


def execute(
    run_context: RunContext, job: str, instance: dg.DagsterInstance, tags: Mapping[str, str] | None = None
) -> str:
    """Run every asset and check of a job, one after another, and return the run's id.

    Raises:
        WarehouseError: A blocking check failed; the message names the table and the reason.
    """
    run_id = str(uuid4())
    with run_end.written_down(run_context), explain_failed_checks(instance, run_id):
        assemble(run_context.home.feature_views).resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            resources={"run_context": run_context},
            tags=dict(tags or {}),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    return run_id
