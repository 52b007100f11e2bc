"""The Dagster instance of a home: its runs, events and schedules, beside the data they speak of."""

import os
from importlib.resources import files
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from orchestration.instance.event_log import KeptStorage
from orchestration.instance.locks import server_lock
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.paths import plain_path, require_writable

COMMAND_LINE = {"stockroom/started_by": "command line"}
"""The tag of runs that the command line started."""

CODE_LOCATION = {".dagster/repository": "__repository__@stockroom"}
"""The tag by which the UI files a run under the name in workspace.yaml: its jobs' pages go by it."""

INCOMING = {"stockroom/started_by": "incoming/"}
"""The tag of runs that the sensor on incoming/ started."""

_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_WRITTEN_DOWN = dg.DagsterRunStatus.NOT_STARTED  # a process that was killed at once left no more of its run
_SHIPPED = ("dagster.yaml", "workspace.yaml")


def open_instance(home: Home) -> dg.DagsterInstance:
    """Return the instance that the UI of this home shows."""
    folder = str(prepare_instance(home))
    ref = InstanceRef.from_dir(folder)
    if ref.storage_data and ref.storage_data.class_name == DagsterSqliteStorage.__name__:  # dagster.yaml names no other
        own = {"module": KeptStorage.__module__, "class": KeptStorage.__name__, "config": ref.storage_data.config_dict}
        ref = InstanceRef.from_dir(folder, overrides={"storage": {"custom": own}})
    return dg.DagsterInstance.from_ref(ref)


def fail_orphaned_runs(instance: dg.DagsterInstance) -> None:
    """Mark the command line's runs that were killed as failed: a run that only seems to go on holds up the UI's queue.

    To be called under the run lock, which every run of the command line holds from before its start to its end.
    """
    for run in instance.get_runs(dg.RunsFilter(tags=COMMAND_LINE, statuses=[_WRITTEN_DOWN, *_IN_PROGRESS])):
        instance.report_run_failed(run, "the process of this run was killed")


def fail_runs_of_a_dead_server(instance: dg.DagsterInstance) -> None:
    """Mark the runs that a killed server of the UI left behind as failed, for the same reason.

    To be called before a server starts, under the lock of the one server that a home may have.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS)):
        if not COMMAND_LINE.items() <= run.tags.items():
            instance.report_run_failed(run, "the server of this run was killed")


def batch_in_progress(home: Home, instance: dg.DagsterInstance) -> str | None:
    """Return the id of a run that brings in the files of incoming/ under a server of the UI, or will; None without one.

    Such runs of a server that is gone are marked as over: what they waited for is the caller's to do.
    """
    queued = dg.RunsFilter(tags=INCOMING, statuses=[dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED])
    try:
        with server_lock(home):
            fail_runs_of_a_dead_server(instance)
            for run in instance.get_runs(queued):
                instance.report_run_canceled(run, "stockroom apply --incoming took its files")
            return None
    except WarehouseError:  # of the lock: there is a server
        in_progress = dg.RunsFilter(tags=INCOMING, statuses=[*(queued.statuses or []), *_IN_PROGRESS])
        return next((run.run_id for run in instance.get_runs(in_progress, limit=1)), None)


def prepare_instance(home: Home) -> Path:
    """Put Dagster's settings into the home, unless someone put others there before, and return their directory.

    Raises:
        WarehouseError: Nothing may be written there.
    """
    require_writable(home.dagster)
    home.dagster.mkdir(parents=True, exist_ok=True)
    for name in _SHIPPED:
        if not (home.dagster / name).exists():
            shipped = files("orchestration").joinpath(name).read_text(encoding="utf-8")
            (home.dagster / name).write_text(shipped, encoding="utf-8")
    directory = plain_path(home.dagster)  # Dagster makes addresses of its databases from it
    os.environ["DAGSTER_HOME"] = str(directory)
    return directory
