"""Schedules: the runs that start at fixed times while `stockroom ui` serves a home, once a person turns them on."""

import dagster as dg

from orchestration.config.automation import AutomationSettings
from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings, load_settings
from orchestration.defs.jobs import build_job, vacuum_job
from warehouse.history.checkpoints import content_snapshot, list_checkpoints

WEEKLY, NIGHTLY = "0 3 * * 0", "0 2 * * *"


def retrain_schedule(settings: AutomationSettings) -> dg.ScheduleDefinition:
    """Return the schedule that retrains: at the times in the settings, else weekly once a person turns it on."""

    @dg.schedule(
        name="retrain",
        job=build_job,
        cron_schedule=settings.retrain_cron or WEEKLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.retrain_cron else dg.DefaultScheduleStatus.STOPPED,
        description="Trains a model on the current catalog and judgements, measures it, and publishes it if the gate lets it. "
        "No run starts while the lake is unchanged since the last build. STOCKROOM_AUTOMATION__RETRAIN_CRON turns it on.",
    )
    def retrain() -> dg.RunRequest | dg.SkipReason:
        reason = why_not_train(load_settings())
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return retrain


def vacuum_schedule(settings: AutomationSettings) -> dg.ScheduleDefinition:
    """Return the schedule that vacuums: at the times in the settings, else nightly once a person turns it on."""
    return dg.ScheduleDefinition(
        name="vacuum",
        job=vacuum_job,
        cron_schedule=settings.vacuum_cron or NIGHTLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.vacuum_cron else dg.DefaultScheduleStatus.STOPPED,
        description="Deletes the data that no kept release, checkpoint or model needs: old versions of vectors, cached "
        "embeddings of unused texts, snapshots of the lake. STOCKROOM_AUTOMATION__VACUUM_CRON turns it on.",
    )


def why_not_train(settings: Settings) -> str | None:
    """Return why a scheduled build would do nothing; None if there may be something to learn."""
    home = open_home(settings)
    if settings.raw is not None or settings.source or (home.lake.exists and home.feature_views):
        return None  # files outside the lake may have changed; a build that finds no change does nothing
    checkpoints = list_checkpoints(home.lake) if home.lake.exists else []
    if not checkpoints:
        return "There is nothing to train on yet: stockroom build --raw DIR."
    newest = checkpoints[-1]
    if newest.snapshot == content_snapshot(home.lake) and home.journal.has_ended_since(
        newest.run_id, "evaluation.metrics"
    ):
        return f"The lake is unchanged since the last build, at snapshot {newest.snapshot}."
    return None
