"""Sensors: what starts a run for new files and for stale indexes while `stockroom ui` serves a home.

Exactly one thing starts a run for a given change:

| change | trigger | run |
| --- | --- | --- |
| a complete delta file lies in incoming/ | the sensor `incoming` | one run of the job `apply` for all waiting files |
| a release whose indexes lack many rows is live | the sensor `reindex` | one run of `reindex` a release |
| a week (a setting) passed and the lake changed since the last build | the schedule `retrain` | one run of `build` |
| a night (a setting) passed | the schedule `vacuum` | one run of `vacuum`, which changes nothing that searchers see |
| anything else (raw folder, time-series file, setting) | a person: UI or command line | the run of their choice |

No asset has an automation condition. A run of `apply` makes all that a delta changes, so a condition on one of its assets
would find nothing left to do. A condition on an asset that `apply` leaves out (evaluation, monitoring, registry) would start a
second run for the same change. That run would end without a release, so that its snapshot would not be a checkpoint.

The sensor `incoming` keeps no cursor: raw.deltas records the applied files by name and hash, and the runs' tags record the
requested files. So nothing is lost when a cursor is reset, a tick is killed, or the home is moved. A tick has a minute at most,
and files may be large: the sensor looks at names, sizes and times, and reads and moves no file. The run does both: before its
first step it checks each file and moves a file that is not a delta file to failed/. After its last step it moves published
files to done/.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack

import dagster as dg

from orchestration.config.automation import AutomationSettings
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.defs.apply_job import APPLY
from orchestration.defs.jobs import REINDEX, reindex_job
from orchestration.instance.dagster_instance import INCOMING
from orchestration.instance.locks import incoming_lock, run_lock
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import list_checkpoints
from warehouse.home import Home
from warehouse.operations.inbox import Dropped, Waiting, waiting
from warehouse.operations.reindexing import outside
from warehouse.wording import counted

BATCH, FILES = "stockroom/batch", "stockroom/files"
"""Tags of the sensor's runs: the digest of the files that started a run, and their names."""
IN_PROGRESS = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_MAX_NAMES = 5
_REINDEX_INTERVAL_S = 30


def incoming_sensor(settings: AutomationSettings) -> dg.SensorDefinition:
    """Return the sensor that starts one run for all waiting delta files; it is on by default."""

    @dg.sensor(
        name="incoming",
        job_name=APPLY,
        minimum_interval_seconds=settings.interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches incoming/ in the home. Delta files (parquet or JSON lines) that have been untouched for "
        f"{settings.settle_s:g} s are applied by one run of the job apply, oldest first. The run moves published files to "
        "incoming/done/, and files that are not delta files to incoming/failed/ with a reason. The sensor keeps no cursor.",
    )
    def incoming(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return next_step(open_home(load_settings()), context.instance, settings)

    return incoming


def next_step(home: Home, instance: dg.DagsterInstance, settings: AutomationSettings) -> dg.RunRequest | dg.SkipReason:
    """Return the run that the files of incoming/ need, or why none starts now."""
    files = waiting(home.incoming, settings.settle_s)
    if files == Waiting():
        return dg.SkipReason("No file waits in incoming/.")
    for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS)):
        if run.job_name == REINDEX:  # it does not hold the run lock
            continue
        return dg.SkipReason(f"Run {run.run_id[:8]} is in progress: incoming/ is looked at when it has ended.")
    with ExitStack() as locks:
        try:
            locks.enter_context(incoming_lock(home, timeout_s=0))
            locks.enter_context(run_lock(home, timeout_s=0))
        except WarehouseError:
            return dg.SkipReason("A command is changing this home: incoming/ is looked at when it has ended.")
    if not files.whole:
        return dg.SkipReason(_describe(files))
    if not (home.lake.exists and list_checkpoints(home.lake)):
        return dg.SkipReason(f"{_describe(files)} They wait for the first release: stockroom build --raw DIR.")
    return _run_or_wait(files, instance, settings)


def _run_or_wait(
    files: Waiting, instance: dg.DagsterInstance, settings: AutomationSettings
) -> dg.RunRequest | dg.SkipReason:
    before = instance.get_run_records(dg.RunsFilter(tags={BATCH: files.digest}))  # newest first
    if before:
        newest = before[0].dagster_run
        ended = f"Run {newest.run_id[:8]} of them ended as {newest.status.value}."
        if newest.status == dg.DagsterRunStatus.CANCELED or len(before) >= settings.attempts:
            return dg.SkipReason(
                f"{_describe(files)} {ended} The files stay in incoming/ until another file joins them: correct the "
                "cause that the run names, or apply them with: stockroom apply --incoming."
            )
        pause_s = (before[0].end_time or 0.0) + settings.retry_s * 2 ** (len(before) - 1) - time.time()
        if pause_s > 0:
            return dg.SkipReason(f"{_describe(files)} {ended} They are tried again in {pause_s:.0f} s.")
    return dg.RunRequest(
        run_key=f"{files.digest}-{len(before) + 1}",
        run_config={"resources": {"run_context": {"config": {"incoming": True, "pin_live_model": True}}}},
        tags=INCOMING | {BATCH: files.digest, FILES: _names(files.whole)},
    )


def _describe(files: Waiting) -> str:
    """Return a short description of the waiting files, for the sensor's page."""
    parts = [(files.unsettled, "Incomplete, or just written"), (files.whole, "Waiting")]
    return " ".join(f"{label}: {_names(group)}." for group, label in parts if group)


def _names(files: Sequence[Dropped]) -> str:
    names = [file.path.name for file in files]
    first, rest = names[:_MAX_NAMES], names[_MAX_NAMES:]
    return ", ".join(first) + (f" and {len(rest)} more" if rest else "")


def reindex_sensor() -> dg.SensorDefinition:
    """Return the sensor that rebuilds the indexes once a release lacks many rows; it is on by default."""

    @dg.sensor(
        name=REINDEX,
        job=reindex_job,
        minimum_interval_seconds=_REINDEX_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts one run of the job reindex for a release whose indexes lack so many rows that searches are "
        "slower. Searches and applies go on during that run. The sensor keeps no cursor.",
    )
    def watch() -> dg.RunRequest | dg.SkipReason:
        settings = load_settings()
        return next_reindex(open_home(settings), settings.release.max_unindexed_share)

    return watch


def next_reindex(home: Home, max_unindexed_share: float) -> dg.RunRequest | dg.SkipReason:
    """Return the run that the live release needs, or why none starts; its key makes it the only one for the release."""
    live = home.releases.live()
    if live is None:
        return dg.SkipReason("There is no release yet.")
    lacking = outside(home, max_unindexed_share)
    if not lacking.is_due:
        return dg.SkipReason(
            f"{counted(lacking.rows, 'row')} outside the indexes of release {live.release}: few enough."
        )
    return dg.RunRequest(run_key=f"release-{live.release}")
