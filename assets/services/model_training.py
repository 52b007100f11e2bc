"""Model training: the id of the model that the lake and the settings give, and its training."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.run_context import RunContext
from assets.services.negative_mining import negatives_fingerprint
from assets.services.text_vectors import TextVectors
from assets.services.training_arrays import training_data
from models.towers.feature_encoder import FeatureSpec
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import Entity, FeatureViews, tower_columns
from warehouse.features import datasets, feature_views
from warehouse.features.query_features import VOCABULARY_FILE
from warehouse.lake import tables

if TYPE_CHECKING:
    from models.towers.trained_model import TrainedModel

_SIDES: dict[str, tuple[Entity, ...]] = {"features.queries": ("query", "context"), "features.products": ("product",)}
LOG = CONTRACTS["evaluation.training_log"]
_TRAINING_ROWS = "split IN ('train', 'validation')"


def failed_training_warning(notes: Sequence[str]) -> dict[str, str]:
    """Return the warning that a new model learned nothing, with its notes on the reasons; empty without notes."""
    return {"warning": f"the new model learned nothing: {'; '.join(notes)}"} if notes else {}


def is_trainable(run_context: RunContext) -> bool:
    """Tell whether enough train queries have an Exact product to train on; with fewer the model is the encoder itself."""
    queries = datasets.judged_queries(run_context.home.lake)
    return queries.get("train", 0) >= run_context.training.min_queries


def model_name(run_context: RunContext) -> str:
    """Return the id of the model for the current lake, encoder and settings: equal inputs give an equal id.

    If the run pins a model, return that model's id. Where too little is judged to train on, the encoder alone names the model.
    """
    if run_context.pinned_model is not None:
        return run_context.pinned_model
    name = f"model by {_settings_digest(run_context)}"
    return run_context.cached_at_snapshot(name, lambda: _model_of_the_lake(run_context))


def _settings_digest(run_context: RunContext) -> str:
    """Return the digest of the settings that name a model: a run context with others may share cached values."""
    settings = run_context.tower, run_context.training, run_context.mining
    return digest(TextVectors(run_context).fingerprint, *(each.model_dump_json() for each in settings))


def _model_of_the_lake(run_context: RunContext) -> str:
    if not is_trainable(run_context):
        return digest("not trained", TextVectors(run_context).fingerprint)
    with run_context.home.lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], _TRAINING_ROWS)
        point_in_time = tables.fingerprint(
            connection,
            CONTRACTS["training.point_in_time"],
            f"pair_key IN (SELECT key FROM training.pairs WHERE {_TRAINING_ROWS})",
        )
        vocabulary = tables.fingerprint(connection, CONTRACTS["fitted.vocabulary"])
        judged = f"key IN (SELECT product_key FROM training.pairs WHERE {_TRAINING_ROWS})"
        static = feature_views.static_fingerprints(connection, "tower", judged)
    settings = run_context.tower.model_dump_json() + run_context.training.model_dump_json(exclude={"min_queries"})
    specs = [
        str(feature_spec(table, run_context.home.feature_views)) for table in ("features.queries", "features.products")
    ]
    negatives = [negatives_fingerprint(run_context)] if run_context.training.mined_per_query else []
    encoder = TextVectors(run_context).fingerprint
    return digest(pairs, point_in_time, vocabulary, encoder, settings, *specs, *negatives, *static)


def pairs_fingerprint(run_context: RunContext) -> str:
    """Return the data version of the training table."""
    with run_context.home.lake.reading() as connection:
        return tables.fingerprint(connection, CONTRACTS["training.pairs"])


def feature_versions(run_context: RunContext) -> dict[str, str]:
    """Return the current data version of each feature table that the towers read."""
    feature_views = [
        table.contract for table in run_context.home.feature_views if any(column.tower for column in table.columns)
    ]
    with run_context.home.lake.reading() as connection:
        return {
            contract.table: tables.fingerprint(connection, contract)
            for contract in (CONTRACTS["features.queries"], CONTRACTS["features.products"], *feature_views)
        }


def feature_spec(table: str, feature_views: FeatureViews = ()) -> FeatureSpec:
    """Return the features of one side's tower: the columns that the table's contract declares, and time-series features."""
    contract, entities = CONTRACTS[table], _SIDES[table]
    return FeatureSpec(
        contract.tower_columns("numeric") + tower_columns(feature_views, entities, "numeric"),
        contract.tower_columns("categorical") + tower_columns(feature_views, entities, "categorical"),
    )


def training_log(model_id: str, history: list[dict[str, Any]], best_epoch: int) -> pl.DataFrame:
    """Return the rows of evaluation.training_log for one model."""
    columns = {name: [epoch[name] for epoch in history] for name in LOG.columns if name in history[0]}
    return pl.DataFrame(columns, strict=False).with_columns(
        key=pl.format("{}:{}", pl.lit(model_id), "epoch"),
        model_id=pl.lit(model_id),
        is_best=pl.col("epoch") == best_epoch,
    )


def train_model(run_context: RunContext, model_id: str, snapshot: int) -> None:
    """Train on the current lake and save the checkpoint, which names the snapshot and the training table's data version.

    Where too little is judged to train on, the checkpoint is the encoder itself, without features.

    The lake's checkpoint of a run comes after its model, and the model's inputs do not change in between. So the training
    table can be recomputed from the first checkpoint at or after the snapshot, where its data version is the same.
    """
    from dataclasses import asdict

    from models.towers import checkpoint

    learns, vectors = is_trainable(run_context), TextVectors(run_context)
    model = _trained(run_context, vectors) if learns else _untrained(vectors)
    history = [{name: value for name, value in asdict(epoch).items() if name != "seconds"} for epoch in model.history]
    metadata = {
        "encoder": vectors.fingerprint,
        "snapshot": snapshot,
        "training_pairs": pairs_fingerprint(run_context),
        "seed": run_context.training.seed,
        "training": run_context.training.model_dump(mode="json"),
        "history": history,
        "features": feature_versions(run_context) if learns else {},
    }
    vocabulary, content = datasets.vocabulary(run_context.home.lake), BytesIO()
    (vocabulary if learns else vocabulary.clear()).write_parquet(content)
    checkpoint.save(run_context.home.models / model_id, model, metadata, {VOCABULARY_FILE: content.getvalue()})


def _trained(run_context: RunContext, vectors: TextVectors) -> "TrainedModel":
    from models.training.trainer import train

    on_epoch = run_context.progress("training", total=run_context.training.epochs)
    query_spec = feature_spec("features.queries", run_context.home.feature_views)
    product_spec = feature_spec("features.products", run_context.home.feature_views)
    return train(
        training_data(run_context, vectors, query_spec, product_spec),
        query_spec,
        product_spec,
        run_context.tower,
        run_context.training,
        lambda epoch: on_epoch(epoch.epoch),
    )


def _untrained(vectors: TextVectors) -> "TrainedModel":
    from models.training.trainer import untrained

    return untrained(vectors.cached([]).shape[1])
