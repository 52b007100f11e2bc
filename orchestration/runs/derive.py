"""Derivation: a job's assets run on a scratch home, in a Dagster instance that is forgotten."""

import dagster as dg

from assets.run_context import RunContext
from orchestration.runs.execute import execute


def derive(run_context: RunContext, job: str) -> None:
    """Run every asset and check of a job, one after another.

    Raises:
        WarehouseError: A blocking check failed; the message says of what table and why.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        execute(run_context, job, instance)
