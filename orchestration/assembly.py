"""The definitions put together: all assets, checks, jobs, what starts them by itself, and the resource that opens the home."""

import dagster as dg

from assets import (
    checks,
    embeddings,
    evaluation,
    features,
    fitted,
    gate,
    model,
    monitoring,
    negatives,
    quarantine,
    raw,
    registry,
    release,
    staging,
    training,
    vectors,
)
from assets.dated import dated_assets
from assets.index_checks import index_checks
from orchestration.automation import clean_schedule, incoming_sensor, retrain_schedule, with_freshness
from orchestration.automation_settings import AutomationSettings
from orchestration.jobs import apply_job, build_job, clean_job, derived_tables_job, fold_inputs_job, training_inputs_job
from orchestration.resources import workspace_resource
from warehouse.contracts.dated import DatedTables

ASSET_MODULES = [
    raw,
    staging,
    training,
    fitted,
    features,
    quarantine,
    embeddings,
    negatives,
    model,
    monitoring,
    registry,
    vectors,
    gate,
    evaluation,
    release,
]


def assemble(dated: DatedTables = (), automation: AutomationSettings | None = None) -> dg.Definitions:
    """Return the definitions for a home that declares these tables of dated features, automated as the settings say."""
    automation = automation or AutomationSettings()
    assets = with_freshness([*dg.load_assets_from_modules(ASSET_MODULES), *dated_assets(dated)], automation)
    return dg.Definitions(
        assets=assets,
        asset_checks=[*checks.check_steps(assets, dated), index_checks],
        jobs=[build_job, apply_job, clean_job, training_inputs_job, derived_tables_job, fold_inputs_job],
        sensors=[incoming_sensor(automation)],
        schedules=[retrain_schedule(automation), clean_schedule(automation)],
        resources={"workspace": workspace_resource},
        # One process: ten empty assets take seconds, where a process for each takes most of a minute.
        executor=dg.in_process_executor,
    )
