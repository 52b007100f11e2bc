"""The tuner: searches tower and training settings by their quality on the validation split."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.run_context import RunContext
from assets.services.model_training import feature_spec, is_trainable, model_name
from assets.services.text_vectors import TextVectors
from assets.services.training_arrays import training_data
from models.settings import TowerSettings, TrainingSettings
from models.towers.feature_encoder import FeatureSpec
from orchestration.instance.locks import run_lock
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.operations import tuning_trials
from warehouse.paths import plain_path
from warehouse.wording import counted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from models.towers.trained_model import TrainedModel
    from models.training.dataset import TrainingData

DIGITS = 3
"""Significant digits of tried numbers, so that a line of `stockroom.toml` gives exactly the tried value."""


@dataclass(frozen=True)
class SearchDimension:
    """Name a searched setting and its range; `log`: sampled evenly by logarithm."""

    section: str
    name: str
    low: float
    high: float
    log: bool = False

    @property
    def key(self) -> str:
        """Return the setting's full name."""
        return f"{self.section}.{self.name}"


SEARCH_SPACE = (
    SearchDimension("tower", "width", 128, 1024, log=True),
    SearchDimension("tower", "dropout", 0.0, 0.5),
    SearchDimension("tower", "input_dropout", 0.0, 0.7),
    SearchDimension("training", "learning_rate", 1e-5, 3e-3, log=True),
    SearchDimension("training", "weight_decay", 1e-3, 1.0, log=True),
    SearchDimension("training", "batch_pairs", 16, 512, log=True),
    SearchDimension("training", "irrelevant_per_query", 0, 4),
    SearchDimension("training", "temperature", 0.02, 0.2, log=True),
    SearchDimension("training", "graded_weight", 0.0, 1.0),
)


def tune(run_context: RunContext, count: int) -> dict[str, Any]:
    """Try `count` more settings on the training data of the last build, and record the results of all trials.

    The study is stored in `tuning.sqlite` in the home. Its name stands for the training data and for every setting that is
    not searched: equal data continues the study, other data begins another. The first trial uses the current settings.
    Trial n depends only on the seed and the trials before it: two calls of three trials give the same as one call of six.
    The test split is not used.

    Returns:
        Plain values: `study`, `ran` (trials of this call), `trials` (of the study), `best` (a row of `evaluation.trials`),
        `first` (the row of the first trial) and `settings` (section to name to value, of the best).

    Raises:
        WarehouseError: No build has ended in this home, or it has no pair to train on or no query to validate on.
    """
    home = run_context.home
    home.lake.require()
    with run_lock(home):
        if not is_trainable(run_context):
            queries, needed = datasets.judged_queries(home.lake).get("train", 0), run_context.training.min_queries
            raise WarehouseError(
                f"there is nothing to tune; too few to train on: {counted(queries, 'query', 'queries')} of {needed:,}",
                "judge more queries, or set training.min_queries",
            )
        study_name = _study_name(run_context)
        data = _data(run_context)
        with _study(run_context, study_name) as study:
            bar = run_context.progress("trials", total=count)
            for number in range(1, count + 1):
                _try(run_context, study, data)
                bar(number)
            rows = _rows(study.trials)
        tuning_trials.record(home.lake, study_name, rows)
    best = rows.filter("is_best").row(0, named=True)
    settings: dict[str, dict[str, Any]] = {}
    for key, value in json.loads(best["settings"]).items():
        section, name = key.split(".")
        settings.setdefault(section, {})[name] = value
    first = rows.sort("trial").row(0, named=True)
    return {
        "study": study_name,
        "ran": count,
        "trials": rows.height,
        "best": best,
        "first": first,
        "settings": settings,
    }


def _study_name(run_context: RunContext) -> str:
    """Return the id that the model would have with all searched settings at their defaults."""
    tower, training = TowerSettings(), TrainingSettings()
    defaults = {
        dimension: getattr(tower if dimension.section == "tower" else training, dimension.name)
        for dimension in SEARCH_SPACE
    }
    return model_name(_with(run_context, {dimension.key: value for dimension, value in defaults.items()}))


def _with(run_context: RunContext, values: dict[str, Any]) -> RunContext:
    def part(section: str) -> dict[str, Any]:
        return {dimension.name: values[dimension.key] for dimension in SEARCH_SPACE if dimension.section == section}

    return replace(
        run_context,
        tower=run_context.tower.model_copy(update=part("tower")),
        training=run_context.training.model_copy(update=part("training")),
    )


def _current(run_context: RunContext) -> dict[str, Any]:
    return {
        dimension.key: getattr(getattr(run_context, dimension.section), dimension.name) for dimension in SEARCH_SPACE
    }


def _data(run_context: RunContext) -> "TrainingData":
    return training_data(run_context, TextVectors(run_context), *_specs(run_context))


def _specs(run_context: RunContext) -> tuple[FeatureSpec, FeatureSpec]:
    feature_views = run_context.home.feature_views
    return feature_spec("features.queries", feature_views), feature_spec("features.products", feature_views)


@contextmanager
def _study(run_context: RunContext, name: str) -> Iterator["Study"]:
    """Open the study, or begin it with the current settings; an interrupted trial counts as failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{plain_path(run_context.home.root) / 'tuning.sqlite'}")
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
        current = _current(run_context)
        if not study.trials and all(
            dimension.low <= current[dimension.key] <= dimension.high for dimension in SEARCH_SPACE
        ):
            study.enqueue_trial(current)
        for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield study
    finally:
        storage.engine.dispose()


def _try(run_context: RunContext, study: "Study", data: "TrainingData") -> None:
    import optuna

    from models.training.trainer import quality

    # One sampler per trial: its draws do not depend on how the trials are spread over calls.
    study.sampler = optuna.samplers.TPESampler(seed=run_context.training.seed + len(study.trials))
    trial = study.ask(_distributions())
    values = {dimension.key: _round(trial.params[dimension.key]) for dimension in SEARCH_SPACE}
    model = _train(_with(run_context, values), data)
    best = model.history[model.best_epoch]
    if best.recall_at_10 is None or best.mrr is None or len(model.history) == 1:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise WarehouseError(
            "there is nothing to tune", "; ".join(model.notes) or "let training run at least one epoch"
        )
    metrics = {"recall_at_10": best.recall_at_10, "mrr": best.mrr, "best_epoch": model.best_epoch, "alpha": best.alpha}
    for name, value in {**metrics, "settings": values}.items():
        trial.set_user_attr(name, value)
    study.tell(trial, quality(best))


def _train(run_context: RunContext, data: "TrainingData") -> "TrainedModel":
    from models.training.trainer import train

    queries, products = _specs(run_context)
    bar = run_context.progress("training", total=run_context.training.epochs)
    return train(data, queries, products, run_context.tower, run_context.training, lambda epoch: bar(epoch.epoch))


def _distributions() -> "dict[str, BaseDistribution]":
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        dimension.key: IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        if isinstance(dimension.low, int)
        else FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        for dimension in SEARCH_SPACE
    }


def _round(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _rows(trials: "list[FrozenTrial]") -> pl.DataFrame:
    """Return the completed trials as rows of evaluation.trials."""
    rows = [
        {"trial": trial.number, "score": trial.value, **trial.user_attrs}
        for trial in trials
        if trial.state.name == "COMPLETE"
    ]
    best = max(rows, key=lambda row: (row["score"], -row["trial"]))
    return pl.DataFrame([{**row, "settings": json.dumps(row["settings"]), "is_best": row is best} for row in rows])
