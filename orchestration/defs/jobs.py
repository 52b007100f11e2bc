"""Jobs: the sets of assets that are run together."""

from dataclasses import asdict

import dagster as dg

from assets.run_context import RunContext
from models.encoder.loading import encoder_fingerprint
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.defs.run_context_resource import progress_of
from orchestration.reindex import reindex
from orchestration.vacuum import vacuum_locked

BUILD, REINDEX = "build", "reindex"

build_job = dg.define_asset_job(
    BUILD, selection=dg.AssetSelection.all(), description="The main job: raw files to a release, every asset once."
)

training_inputs_job = dg.define_asset_job(
    "training_inputs",
    # A multi-asset runs whole: the tables that it makes beside these are included.
    selection=dg.AssetSelection.assets("model/two_tower").upstream(include_self=False).required_multi_asset_neighbors()
    - dg.AssetSelection.groups("raw", "timeseries", "attributes"),
    description="All tables between the raw tables and the model: `stockroom train` recomputes them in a second lake.",
)

derived_tables_job = dg.define_asset_job(
    "derived_tables",
    selection=(
        dg.AssetSelection.groups("staging", "splits", "fitted", "features", "training", "quarantine")
        | dg.AssetSelection.assets("registry/feature_views")
    )
    - dg.AssetSelection.assets("training/negatives", "training/mining"),
    description="The tables that derive from the raw tables alone: `stockroom replay` recomputes them in a second lake.",
)

fold_inputs_job = dg.define_asset_job(
    "fold_inputs",
    selection=dg.AssetSelection.assets("splits/queries").downstream()
    & dg.AssetSelection.assets("model/two_tower").upstream(include_self=False).required_multi_asset_neighbors(),
    description="Everything that depends on the held-out queries: `stockroom evaluate --folds` makes it again for each fold.",
)


@dg.op(
    name="vacuum_home", description="Deletes the data that no kept release, checkpoint or model needs, step by step."
)
def vacuum(context: dg.OpExecutionContext, run_context: dg.ResourceParam[RunContext]) -> None:
    """Vacuum the home, whose run lock the run context holds."""
    report = vacuum_locked(run_context.home, run_context.vacuum, encoder_fingerprint(run_context.encoder))
    context.add_output_metadata(asdict(report))


@dg.op(name="make_indexes", description="Rebuilds the indexes of the live release, and publishes them.")
def make_indexes(context: dg.OpExecutionContext) -> None:
    """Reindex the home without its run lock, so that applies go on meanwhile."""
    context.add_output_metadata(asdict(reindex(open_home(load_settings()), progress_of(context.log))))


@dg.job(
    name=REINDEX,
    tags={"stockroom/job": REINDEX},
    description="Upkeep of the indexes: stockroom reindex. An apply leaves the rows that it writes outside the indexes.",
)
def reindex_job() -> None:
    """Run the one step."""
    make_indexes()


@dg.job(name="vacuum", description="Housekeeping: stockroom vacuum, with the settings of the home.")
def vacuum_job() -> None:
    """Run the one step."""
    vacuum()
