"""Assembly of the definitions: assets, checks, jobs, sensors, schedules, and the resource that opens the home."""

import dagster as dg

from assets.model import embeddings, hard_negatives, ranker, two_tower
from assets.release import drift, evaluation, live_release, product_vectors, promotion_gate, text_index
from assets.tables import features, fitted, quarantine, raw, registry, splits, staging, training
from assets.tables.time_series import feature_view_assets
from orchestration.config.automation import AutomationSettings
from orchestration.defs.apply_job import apply_job
from orchestration.defs.freshness import with_freshness
from orchestration.defs.jobs import (
    build_job,
    derived_tables_job,
    fold_inputs_job,
    reindex_job,
    training_inputs_job,
    vacuum_job,
)
from orchestration.defs.run_context_resource import RunContextResource
from orchestration.defs.schedules import retrain_schedule, vacuum_schedule
from orchestration.defs.sensors import incoming_sensor, reindex_sensor
from warehouse.contracts.time_series import FeatureViews

ASSET_MODULES = [
    raw,
    staging,
    splits,
    fitted,
    features,
    training,
    quarantine,
    embeddings,
    hard_negatives,
    two_tower,
    drift,
    registry,
    product_vectors,
    text_index,
    ranker,
    promotion_gate,
    evaluation,
    live_release,
]


def assemble(feature_views: FeatureViews = (), automation: AutomationSettings | None = None) -> dg.Definitions:
    """Return the definitions for a home with these feature views and automation settings."""
    automation = automation or AutomationSettings()
    assets = with_freshness(
        [*dg.load_assets_from_modules(ASSET_MODULES), *feature_view_assets(feature_views)], automation
    )
    return dg.Definitions(
        assets=assets,
        jobs=[
            build_job,
            apply_job(assets),
            reindex_job,
            vacuum_job,
            training_inputs_job,
            derived_tables_job,
            fold_inputs_job,
        ],
        sensors=[incoming_sensor(automation), reindex_sensor()],
        schedules=[retrain_schedule(automation), vacuum_schedule(automation)],
        resources={"run_context": RunContextResource()},
        # One process: ten empty assets take seconds, where a process for each takes most of a minute.
        executor=dg.in_process_executor,
    )
