"""What Dagster loads: all assets, checks, jobs and the resource that opens the home."""

import dagster as dg

from assets import (
    checks,
    embeddings,
    evaluation,
    features,
    fitted,
    model,
    monitoring,
    quarantine,
    raw,
    registry,
    release,
    staging,
    training,
    vectors,
)
from orchestration.jobs import build_job, training_inputs_job
from orchestration.resources import workspace_resource

ASSET_MODULES = [
    raw,
    staging,
    training,
    fitted,
    features,
    quarantine,
    embeddings,
    model,
    monitoring,
    registry,
    vectors,
    evaluation,
    release,
]

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(ASSET_MODULES),
    asset_checks=list(checks.all_checks()),
    jobs=[build_job, training_inputs_job],
    resources={"workspace": workspace_resource},
    # One process: ten empty assets take seconds, where a process for each takes most of a minute.
    executor=dg.in_process_executor,
)
