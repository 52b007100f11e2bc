"""Derivation: a job's assets run on a scratch home, in a Dagster instance that is forgotten."""

from uuid import uuid4

import dagster as dg

from assets.workspace import Workspace
from orchestration.assembly import assemble
from orchestration.check_failures import told_of_checks


def derive(workspace: Workspace, job: str) -> None:
    """Run every asset and check of a job, one after another.

    Raises:
        WarehouseError: A blocking check failed; the message says of what table and why.
    """
    run_id = str(uuid4())
    with dg.DagsterInstance.ephemeral() as instance, told_of_checks(instance, run_id):
        assemble(workspace.home.dated).resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            resources={"workspace": workspace},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
