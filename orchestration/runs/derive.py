"""Derivation: runs a job's assets on a scratch home, in an ephemeral Dagster instance."""

import dagster as dg

from assets.run_context import RunContext
from orchestration.runs.execute import execute


def derive(run_context: RunContext, job: str) -> None:
    """Run every asset and check of a job, one after another.

    Raises:
        WarehouseError: A blocking check failed; the message names the table and the reason.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        execute(run_context, job, instance)
