"""Training: fit the towers on cached vectors, and stop early on validation, never below the encoder's recall."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import polars as pl
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.errors import ModelError
from models.settings import TowerSettings, TrainingSettings
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.towers.network import TwoTower
from models.towers.trained_model import EpochLog, TrainedModel, feature_sizes
from models.training.dataset import TrainingData
from models.training.lr_schedule import warmup_cosine
from models.training.retrieval_validation import RetrievalCheck, RetrievalScores
from models.training.samplers import Judgements, Rows, TowerInputs, contrastive_batches, count_batches, graded_batches
from models.training.step import StepTensors, gather, step_loss


def train(
    data: TrainingData,
    query_spec: FeatureSpec,
    product_spec: FeatureSpec,
    tower_settings: TowerSettings,
    training_settings: TrainingSettings,
    on_epoch: Callable[[EpochLog], None] | None = None,
) -> TrainedModel:
    """Fit features on the train split, train the towers, and choose epoch and alpha on the validation split.

    The same data, settings and seed give the same bytes of weights on one machine. Without Exact training pairs or
    without validation queries the towers stay the encoder, and a note says so. Training that diverges ends with the best
    earlier epoch and a note.
    """
    with _deterministic(training_settings):
        return _Trainer(data, query_spec, product_spec, tower_settings, training_settings, on_epoch).run()


def untrained(dim: int) -> TrainedModel:
    """Return towers that leave the encoder's vectors (rows, dim) as they are, and read no features."""
    features, settings = FeatureEncoder.fit(pl.DataFrame(), FeatureSpec(), TowerSettings()), TowerSettings(width=1)
    with _deterministic(TrainingSettings()):
        towers = TwoTower(dim, feature_sizes(features), feature_sizes(features), settings)
    towers.alpha = 0.0
    start = EpochLog(0, None, None, None, None, None, alpha=0.0, learning_rate=0.0, seconds=0.0)
    return TrainedModel(
        towers.eval(), features, features, (start,), 0, ("not trained: the model is the encoder itself",)
    )


class _Trainer:
    def __init__(
        self,
        data: TrainingData,
        query_spec: FeatureSpec,
        product_spec: FeatureSpec,
        tower_settings: TowerSettings,
        settings: TrainingSettings,
        on_epoch: Callable[[EpochLog], None] | None,
    ) -> None:
        self.settings = settings
        self.on_epoch = on_epoch
        self.device = _device(settings)
        self.train, self.validation = Judgements(data, "train"), Judgements(data, "validation")
        self.check = RetrievalCheck(
            data, self.validation, settings.validation_queries, settings.product_rows, settings.seed
        )
        self.query_encoder = _fit(data.query_features, self.train.query, query_spec, tower_settings)
        self.product_encoder = _fit(data.product_features, self.train.product, product_spec, tower_settings)
        self.queries = _inputs(data.query_vectors, data.query_features, self.query_encoder)
        self.products = _inputs(data.product_vectors, data.product_features, self.product_encoder)
        self.towers = TwoTower(
            data.dim, feature_sizes(self.query_encoder), feature_sizes(self.product_encoder), tower_settings
        ).to(self.device)
        # Validation scores the moving mean of the weights, which retrieves better than the weights of any single step.
        moving_mean = get_ema_multi_avg_fn(settings.average_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.towers, multi_avg_fn=moving_mean)
        self.averaged_towers = cast("TwoTower", self.average.module)
        self.history: list[EpochLog] = []

    def run(self) -> TrainedModel:
        notes = self._obstacles()
        self._log(0, None, 0.0, time.perf_counter())
        best = self.history[0] if notes else self._learn(notes)
        self.averaged_towers.alpha = best.alpha
        self.averaged_towers.to("cpu").eval()
        return TrainedModel(
            self.averaged_towers,
            self.query_encoder,
            self.product_encoder,
            tuple(self.history),
            best.epoch,
            tuple(notes),
        )

    def _obstacles(self) -> list[str]:
        notes = []
        if len(self.train.exact()) == 0:
            notes.append("the train split has no Exact pair to learn from: the model is the encoder itself")
        if len(self.check.queries) == 0:
            notes.append("the validation split has no query with an Exact product: the model is the encoder itself")
        return notes

    def _learn(self, notes: list[str]) -> EpochLog:
        """Train epoch by epoch, restore the weights of the best epoch, and return its log; add notes on failures."""
        settings = self.settings
        best, best_weights = self.history[0], copy.deepcopy(self.averaged_towers.state_dict())
        optimizer = torch.optim.AdamW(_weight_groups(self.towers, settings.weight_decay), lr=settings.learning_rate)
        steps = count_batches(self.train, settings.batch_pairs)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, warmup_cosine(settings.warmup_share, steps * settings.epochs)
        )
        for epoch in range(1, settings.epochs + 1):
            started = time.perf_counter()
            self.towers.train()
            self.towers.alpha = 1.0
            # The sum stays on the device: reading it at every step would wait for the device.
            total, pairs, rate = torch.zeros((), dtype=torch.float64, device=self.device), 0, 0.0
            for step in self._steps(self.train, epoch):
                optimizer.zero_grad(set_to_none=True)
                loss = step_loss(self.towers, step, settings)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.towers.parameters(), settings.gradient_limit)
                rate = float(schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
                self.average.update_parameters(self.towers)
                total, pairs = total + loss.detach().double() * len(step.target), pairs + len(step.target)
            log = self._log(epoch, _number(total.item() / pairs), rate, started)
            if log.train_loss is None:
                notes.append(
                    f"training diverged in epoch {epoch}: its loss is not a number; lower training.learning_rate"
                )
                break
            if quality(log) > quality(best):
                best, best_weights = log, copy.deepcopy(self.averaged_towers.state_dict())
            elif epoch - best.epoch >= settings.patience:
                break
        if best.epoch == 0:
            notes.append("no epoch beat the encoder on validation: the model is the encoder itself")
        self.averaged_towers.load_state_dict(best_weights)
        return best

    def _steps(self, judgements: Judgements, epoch: int) -> Iterator[StepTensors]:
        settings = self.settings
        rng = np.random.default_rng([settings.seed, epoch])
        batches = contrastive_batches(
            judgements,
            settings.batch_pairs,
            settings.irrelevant_per_query,
            settings.catalog_negatives,
            rng,
            settings.mined_per_query,
        )
        lists = graded_batches(judgements, count_batches(judgements, settings.batch_pairs), rng)
        for batch, graded in zip(batches, lists, strict=True):
            used = graded if settings.graded_weight else None
            yield gather(batch, used, self.queries, self.products, self.device)

    def _log(self, epoch: int, train_loss: float | None, rate: float, started: float) -> EpochLog:
        """Log an epoch at the alpha with the best score; among equal scores, at the alpha closest to 0."""
        self.averaged_towers.eval()
        scores: RetrievalScores | None = None
        if len(self.check.queries):
            # At the start every alpha is the encoder.
            alphas = tuple(sorted({0.0, *self.settings.alphas}, key=abs)) if epoch else (0.0,)
            candidates = self.check.score(self.averaged_towers, alphas, self.queries, self.products, self.device)
            # Alpha 0 is the encoder, so one candidate always reaches the encoder's recall.
            encoder_recall = self.history[0].recall_at_10 if self.history else 0.0
            scores = max((one for one in candidates if one.recall_at_10 >= (encoder_recall or 0.0)), key=quality)
        log = EpochLog(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=self._validation_loss(),
            recall_at_10=scores.recall_at_10 if scores else None,
            recall_at_100=scores.recall_at_100 if scores else None,
            mrr=scores.mrr if scores else None,
            alpha=scores.alpha if scores else 0.0,
            learning_rate=rate,
            seconds=time.perf_counter() - started,
        )
        self.history.append(log)
        if self.on_epoch:
            self.on_epoch(log)
        return log

    def _validation_loss(self) -> float | None:
        total, pairs = 0.0, 0
        with torch.no_grad():
            # Every epoch uses epoch 0's batches, so that epochs are compared on the same negatives.
            for step in self._steps(self.validation, 0):
                total += step_loss(self.averaged_towers, step, self.settings).item() * len(step.target)
                pairs += len(step.target)
        return _number(total / pairs) if pairs else None


def _number(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def quality(scores: EpochLog | RetrievalScores) -> float:
    """Return the score that chooses epoch and alpha; equal scores keep the earlier epoch and the alpha closer to 0.

    recall@10 alone is a coarse step function of few queries. Adding the MRR, which reflects every change of rank, chose
    better models for held-out queries.
    """
    return (scores.recall_at_10 or 0.0) + (scores.mrr or 0.0)


def _fit(features: pl.DataFrame, rows: Rows, spec: FeatureSpec, settings: TowerSettings) -> FeatureEncoder:
    return FeatureEncoder.fit(features[np.unique(rows)] if features.width else features, spec, settings)


def _inputs(vectors: np.ndarray, features: pl.DataFrame, encoder: FeatureEncoder) -> TowerInputs:
    if not encoder.spec.columns:
        empty = np.zeros((len(vectors), 0))
        return TowerInputs(vectors, empty.astype(np.float32), empty.astype(np.int64))
    return TowerInputs(vectors, *encoder.transform(features))


def _weight_groups(towers: TwoTower, decay: float) -> list[dict[str, object]]:
    """Return parameter groups with weight decay for matrices only, not for norms and biases."""
    parameters = [parameter for parameter in towers.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def _device(settings: TrainingSettings) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if settings.device == "cuda" and not has_gpu:
        raise ModelError("training.device is cuda, but PyTorch sees no GPU", "set STOCKROOM_TRAINING__DEVICE=auto")
    return torch.device("cuda" if has_gpu and settings.device != "cpu" else "cpu")


@contextlib.contextmanager
def _deterministic(settings: TrainingSettings) -> Iterator[None]:
    """Fix threads, seed and algorithms, and restore them afterwards."""
    threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(algorithms)
