"""A trained model in memory: towers, fitted features and training history."""

from __future__ import annotations

import dataclasses

from models.towers.feature_encoder import FeatureEncoder
from models.towers.network import FeatureSizes, TwoTower


@dataclasses.dataclass(frozen=True)
class EpochLog:
    """Hold the log of one epoch; epoch 0 is the encoder, before any training.

    Losses are means over pairs at alpha 1, scores (0 to 1) are means over validation queries at the epoch's best
    `alpha`. They are None without data to measure, or if the value is not finite. `learning_rate` is the last step's,
    `seconds` the wall time.
    """

    epoch: int
    train_loss: float | None
    val_loss: float | None
    recall_at_10: float | None
    recall_at_100: float | None
    mrr: float | None
    alpha: float
    learning_rate: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """Hold trained towers, their fitted features and their training history."""

    towers: TwoTower
    query_encoder: FeatureEncoder
    product_encoder: FeatureEncoder
    history: tuple[EpochLog, ...] = ()
    best_epoch: int = 0
    notes: tuple[str, ...] = ()


def feature_sizes(encoder: FeatureEncoder) -> FeatureSizes:
    """Return the widths of the encoder's output, for the towers."""
    return FeatureSizes(encoder.numeric_width, encoder.vocabulary_sizes)
