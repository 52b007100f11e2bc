"""A trained model in memory: towers, the features they read, and how they came to be."""

from __future__ import annotations

import dataclasses

from models.towers.feature_encoder import FeatureEncoder
from models.towers.network import FeatureSizes, TwoTower


@dataclasses.dataclass(frozen=True)
class EpochLog:
    """Say how one epoch went; epoch 0 is the encoder, before any training.

    Losses are means over pairs at alpha 1, scores (0 to 1) are means over validation queries at the epoch's best
    `alpha`; None where there was nothing to measure, or where it is no number. `learning_rate` is the last step's,
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
    """Hold trained towers, the fitted features they read, and how they came to be."""

    towers: TwoTower
    query_encoder: FeatureEncoder
    product_encoder: FeatureEncoder
    history: tuple[EpochLog, ...] = ()
    best_epoch: int = 0
    notes: tuple[str, ...] = ()


def feature_sizes(encoder: FeatureEncoder) -> FeatureSizes:
    """Return how wide the encoder's output is, as the towers want to know it."""
    return FeatureSizes(encoder.numeric_width, encoder.vocabulary_sizes)
