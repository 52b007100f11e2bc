"""Derivation: a job's assets run on a scratch home, in a Dagster instance that is forgotten."""

import dagster as dg

from assets.workspace import Workspace
from orchestration.assembly import assemble


def derive(workspace: Workspace, job: str) -> None:
    """Run every asset and check of a job, one after another; what fails is raised."""
    with dg.DagsterInstance.ephemeral() as instance:
        assemble(workspace.home.dated).resolve_job_def(job).execute_in_process(
            instance=instance,
            resources={"workspace": workspace},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
