"""Derivation: a job's assets run on a scratch home, in a Dagster instance that is forgotten."""

import dagster as dg

from assets.run_context import Workspace
from orchestration.runs.execute import execute


def derive(workspace: Workspace, job: str) -> None:
    """Run every asset and check of a job, one after another.

    Raises:
        WarehouseError: A blocking check failed; the message says of what table and why.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        execute(workspace, job, instance)
