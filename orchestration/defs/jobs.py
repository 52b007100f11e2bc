"""Jobs: the sets of assets that are run together."""

from dataclasses import asdict

import dagster as dg

from assets.run_context import RunContext
from models.encoder.loading import encoder_fingerprint
from orchestration.vacuum import vacuum_locked

build_job = dg.define_asset_job(
    "build", selection=dg.AssetSelection.all(), description="The main job: raw files to a release, every asset once."
)

apply_job = dg.define_asset_job(
    "apply",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.groups("model", "evaluation", "monitoring")
    - dg.AssetSelection.assets("registry/tables", "registry/features", "registry/lineage")
    - dg.AssetSelection.assets("training/negatives", "training/mining"),
    description="What a change of the catalog changes: raw files to a release under the live model. What is measured of the "
    "model, and what the lake tells of itself, waits for the next build.",
    config={"resources": {"run_context": {"config": {"pin_live_model": True}}}},
)

training_inputs_job = dg.define_asset_job(
    "training_inputs",
    # A multi-asset runs whole: the tables that it makes beside these are included.
    selection=dg.AssetSelection.assets("model/two_tower").upstream(include_self=False).required_multi_asset_neighbors()
    - dg.AssetSelection.groups("raw", "timeseries"),
    description="Everything between the raw tables and the model: what `stockroom train` recomputes in a second lake.",
)

derived_tables_job = dg.define_asset_job(
    "derived_tables",
    selection=(
        dg.AssetSelection.groups("staging", "splits", "fitted", "features", "training", "quarantine")
        | dg.AssetSelection.assets("registry/feature_views")
    )
    - dg.AssetSelection.assets("training/negatives", "training/mining"),
    description="What follows from the raw tables, for every model: what `stockroom replay` recomputes in a second lake.",
)

fold_inputs_job = dg.define_asset_job(
    "fold_inputs",
    selection=dg.AssetSelection.assets("splits/queries").downstream()
    & dg.AssetSelection.assets("model/two_tower").upstream(include_self=False).required_multi_asset_neighbors(),
    description="Everything that depends on the held-out queries: `stockroom evaluate --folds` makes it again for each fold.",
)


@dg.op(name="vacuum_home", description="Takes out what no kept release, checkpoint or model needs, step by step.")
def vacuum(context: dg.OpExecutionContext, run_context: dg.ResourceParam[RunContext]) -> None:
    """Vacuum the home, whose run lock the run context holds."""
    report = vacuum_locked(run_context.home, run_context.vacuum, encoder_fingerprint(run_context.encoder))
    context.add_output_metadata(asdict(report))


@dg.job(name="vacuum", description="Housekeeping: stockroom vacuum, with the settings of the home.")
def vacuum_job() -> None:
    """Run the one step."""
    vacuum()
