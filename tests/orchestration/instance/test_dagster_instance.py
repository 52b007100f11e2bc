"""The home's Dagster instance records how every run ended, also if its process was killed."""

import dagster as dg
import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import COMMAND_LINE, fail_orphaned_runs, open_instance


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_runs_of_killed_commands_are_marked_as_failed(tmp_path, status):
    reached = dg.DagsterRunStatus(status)
    with open_instance(open_home(load_settings(tmp_path))) as instance:
        for run_id, tags in (("dead", COMMAND_LINE), ("of the UI", {})):
            instance.add_run(dg.DagsterRun(job_name="apply", run_id=run_id, tags=tags, status=reached))
        instance.add_run(
            dg.DagsterRun(job_name="apply", run_id="done", tags=COMMAND_LINE, status=dg.DagsterRunStatus.SUCCESS)
        )
        fail_orphaned_runs(instance)
        statuses = {run.run_id: run.status.value for run in instance.get_runs()}
    assert statuses == {"dead": "FAILURE", "of the UI": status, "done": "SUCCESS"}
