"""The Dagster instance of a home: its runs, events and schedules, stored in the home itself."""

import os
from importlib.resources import files
from pathlib import Path

import dagster as dg

from orchestration.instance.locks import in_progress, server_lock
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.paths import plain_path, require_writable

COMMAND_LINE = {"stockroom/started_by": "command line"}
"""The tag of runs that the command line started."""

CODE_LOCATION = {".dagster/repository": "__repository__@stockroom"}
"""The tag that assigns a run to the name in workspace.yaml; the job pages of the UI need it."""

INCOMING = {"stockroom/started_by": "incoming/"}
"""The tag of runs that the sensor on incoming/ started."""

_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_CREATED = dg.DagsterRunStatus.NOT_STARTED  # the status of a run whose process was killed at once
_SETTINGS_FILES = ("dagster.yaml", "workspace.yaml")


def open_instance(home: Home) -> dg.DagsterInstance:
    """Return the instance that the UI of this home shows, for a run in this process."""
    return dg.DagsterInstance.from_config(str(prepare_instance(home)))


def fail_orphaned_runs(instance: dg.DagsterInstance) -> None:
    """Mark killed runs of the command line as failed: a run that seems to continue holds up the UI's queue.

    The caller holds the run lock, which every run of the command line holds from before its start to its end.
    """
    for run in instance.get_runs(dg.RunsFilter(tags=COMMAND_LINE, statuses=[_CREATED, *_IN_PROGRESS])):
        instance.report_run_failed(run, "the process of this run was killed")


def fail_orphaned(home: Home) -> None:
    """Mark as failed a run that was killed after it had published; nothing else is left to do for it.

    The caller holds the run lock.
    """
    with in_progress(home), open_instance(home) as instance:
        fail_orphaned_runs(instance)


def fail_runs_of_a_dead_server(instance: dg.DagsterInstance) -> None:
    """Mark the runs of a killed UI server as failed, for the same reason.

    The caller holds the server lock, and no server has started.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS)):
        if not COMMAND_LINE.items() <= run.tags.items():
            instance.report_run_failed(run, "the server of this run was killed")


def batch_in_progress(home: Home, instance: dg.DagsterInstance) -> str | None:
    """Return the id of a UI server's run that applies the files of incoming/, or will; None if there is none.

    If no server runs, such runs are marked as ended, and the caller applies their files.
    """
    queued = dg.RunsFilter(tags=INCOMING, statuses=[dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED])
    try:
        with server_lock(home):
            fail_runs_of_a_dead_server(instance)
            for run in instance.get_runs(queued):
                instance.report_run_canceled(run, "stockroom apply --incoming took its files")
            return None
    except WarehouseError:  # the lock is taken: a server runs
        in_progress = dg.RunsFilter(tags=INCOMING, statuses=[*(queued.statuses or []), *_IN_PROGRESS])
        return next((run.run_id for run in instance.get_runs(in_progress, limit=1)), None)


def prepare_instance(home: Home) -> Path:
    """Write Dagster's settings into the home, unless it has some, and return their directory.

    Raises:
        WarehouseError: The directory is not writable.
    """
    require_writable(home.dagster)
    home.dagster.mkdir(parents=True, exist_ok=True)
    for name in _SETTINGS_FILES:
        if not (home.dagster / name).exists():
            text = files("orchestration").joinpath(name).read_text(encoding="utf-8")
            (home.dagster / name).write_text(text, encoding="utf-8")
    directory = plain_path(home.dagster)  # Dagster derives its databases' URLs from it
    os.environ["DAGSTER_HOME"] = str(directory)
    return directory
