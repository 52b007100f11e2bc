"""The two-tower model: trained on the training pairs over cached embeddings, saved as a checkpoint."""

from typing import Any

import dagster as dg

from assets.core.steps import multi_asset
from assets.core.table_asset import result, table_assets, table_result
from assets.keys import asset_key
from assets.reporting import plots
from assets.reporting.pictures import drawn
from assets.run_context import RunContext
from assets.services.model_training import (
    LOG,
    failed_training_warning,
    is_trainable,
    model_name,
    train_model,
    training_log,
)
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from warehouse.lake import tables


@multi_asset(
    name="two_tower",
    **table_assets(
        [LOG.table],
        deps=("model.two_tower",),
        kinds={"duckdb"},
        others=[
            dg.AssetSpec(
                key=asset_key("model.two_tower"),
                deps=[
                    asset_key(name)
                    for name in (
                        "training.pairs",
                        "training.point_in_time",
                        "training.negatives",
                        "fitted.vocabulary",
                        "embeddings.texts",
                    )
                ],
                group_name="model",
                kinds={"pytorch"},
                description="The towers' weights and fitted features, named by a hash of all that they were made from.",
            )
        ],
    ),
)
def two_tower(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> Any:
    """Train, unless the model of the same pairs, texts and settings exists already, or the run pins a model."""
    model_id = model_name(run_context)
    directory = run_context.home.models / model_id
    is_new = not (directory / MANIFEST_FILE).exists()
    if is_new:
        train_model(run_context, model_id, run_context.home.lake.snapshot())
    manifest = read_manifest(directory)
    log = training_log(model_id, manifest["metadata"]["history"], manifest["best_epoch"])
    with run_context.home.lake.writing() as connection:
        change = tables.refresh_from(connection, LOG, log, f"model_id = '{model_id}'")
    curves = drawn(run_context.home, "training curves", plots.training_curves, log)
    metadata = {"curves": curves, "notes": "; ".join(manifest["notes"]), "alpha": manifest["alpha"]}
    learned = is_new and is_trainable(run_context)
    facts = {"model": model_id, "trained": learned} | (failed_training_warning(manifest["notes"]) if learned else {})
    yield result(context, run_context, "model.two_tower", model_id, metadata, facts)
    yield table_result(context, run_context, LOG.table, change.counts)
