"""The tuner: settings of the towers and their training, searched for by what they come to on the validation split."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from assets.model.two_tower import feature_spec, model_name
from assets.run_context import Workspace
from assets.services.text_vectors import TextVectors
from assets.services.training_arrays import training_data
from models.settings import TowerSettings, TrainingSettings
from models.towers.feature_encoder import FeatureSpec
from orchestration.instance.locks import run_lock
from warehouse.errors import WarehouseError
from warehouse.operations import tuning_trials
from warehouse.paths import plain_path

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

    from models.towers.trained_model import TrainedModel
    from models.training.dataset import TrainingData

DIGITS = 3
"""Significant digits of the numbers tried, so that a line of `stockroom.toml` says just what was tried."""


@dataclass(frozen=True)
class Knob:
    """Name a setting that is searched, and the range that it is searched in; `log`: evenly by its logarithm."""

    section: str
    name: str
    low: float
    high: float
    log: bool = False

    @property
    def key(self) -> str:
        """Return the setting's full name."""
        return f"{self.section}.{self.name}"


KNOBS = (
    Knob("tower", "width", 128, 1024, log=True),
    Knob("tower", "dropout", 0.0, 0.5),
    Knob("tower", "input_dropout", 0.0, 0.7),
    Knob("training", "learning_rate", 1e-5, 3e-3, log=True),
    Knob("training", "weight_decay", 1e-3, 1.0, log=True),
    Knob("training", "batch_pairs", 16, 512, log=True),
    Knob("training", "irrelevant_per_query", 0, 4),
    Knob("training", "temperature", 0.02, 0.2, log=True),
    Knob("training", "graded_weight", 0.0, 1.0),
)


def tune(workspace: Workspace, count: int) -> dict[str, Any]:
    """Try `count` more settings on the training data of the last build, and record what all trials came to.

    The study lies in `tuning.sqlite` in the home, under a name that stands for the training data and for every setting that
    is not searched: equal data goes on with it, other data begins another. The first trial is the settings in force. Trial
    n depends on the seed and on the trials before it alone: two calls of three trials come to the same as one of six. The
    test split has no part in it.

    Returns:
        Plain values: `study`, `ran` (trials of this call), `trials` (of the study), `best` (a row of `evaluation.trials`),
        `first` (the row of the first trial) and `settings` (section to name to value, of the best).

    Raises:
        WarehouseError: No build has ended in this home, or it has no pair or no query to learn and to choose by.
    """
    home = workspace.home
    home.lake.require()
    with run_lock(home):
        study_name = _study_name(workspace)
        data = _data(workspace)
        with _study(workspace, study_name) as study:
            bar = workspace.progress("trials", total=count)
            for done in range(1, count + 1):
                _try(workspace, study, data)
                bar(done)
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


def _study_name(workspace: Workspace) -> str:
    """Return the id that the model would have if what is searched stood at its defaults."""
    tower, training = TowerSettings(), TrainingSettings()
    plain = {knob: getattr(tower if knob.section == "tower" else training, knob.name) for knob in KNOBS}
    return model_name(_with(workspace, {knob.key: value for knob, value in plain.items()}))


def _with(workspace: Workspace, values: dict[str, Any]) -> Workspace:
    def part(section: str) -> dict[str, Any]:
        return {knob.name: values[knob.key] for knob in KNOBS if knob.section == section}

    return replace(
        workspace,
        tower=workspace.tower.model_copy(update=part("tower")),
        training=workspace.training.model_copy(update=part("training")),
    )


def _current(workspace: Workspace) -> dict[str, Any]:
    return {knob.key: getattr(getattr(workspace, knob.section), knob.name) for knob in KNOBS}


def _data(workspace: Workspace) -> "TrainingData":
    return training_data(workspace, TextVectors(workspace), *_specs(workspace))


def _specs(workspace: Workspace) -> tuple[FeatureSpec, FeatureSpec]:
    dated = workspace.home.dated
    return feature_spec("features.queries", dated), feature_spec("features.products", dated)


@contextmanager
def _study(workspace: Workspace, name: str) -> Iterator["Study"]:
    """Open the study, or begin it with the settings in force; a trial that was broken off counts as failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{plain_path(workspace.home.root) / 'tuning.sqlite'}")
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
        current = _current(workspace)
        if not study.trials and all(knob.low <= current[knob.key] <= knob.high for knob in KNOBS):
            study.enqueue_trial(current)
        for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield study
    finally:
        storage.engine.dispose()


def _try(workspace: Workspace, study: "Study", data: "TrainingData") -> None:
    import optuna

    from models.training.trainer import quality

    # A sampler of its own for each trial: what it draws does not hang on how many calls the trials were spread over.
    study.sampler = optuna.samplers.TPESampler(seed=workspace.training.seed + len(study.trials))
    trial = study.ask(_distributions())
    values = {knob.key: _rounded(trial.params[knob.key]) for knob in KNOBS}
    model = _train(_with(workspace, values), data)
    best = model.history[model.best_epoch]
    if best.recall_at_10 is None or best.mrr is None or len(model.history) == 1:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise WarehouseError(
            "there is nothing to tune", "; ".join(model.notes) or "let training run at least one epoch"
        )
    found = {"recall_at_10": best.recall_at_10, "mrr": best.mrr, "best_epoch": model.best_epoch, "alpha": best.alpha}
    for name, value in {**found, "settings": values}.items():
        trial.set_user_attr(name, value)
    study.tell(trial, quality(best))


def _train(workspace: Workspace, data: "TrainingData") -> "TrainedModel":
    from models.training.trainer import train

    queries, products = _specs(workspace)
    bar = workspace.progress("training", total=workspace.training.epochs)
    return train(data, queries, products, workspace.tower, workspace.training, lambda epoch: bar(epoch.epoch))


def _distributions() -> "dict[str, BaseDistribution]":
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        knob.key: IntDistribution(int(knob.low), int(knob.high), log=knob.log)
        if isinstance(knob.low, int)
        else FloatDistribution(knob.low, knob.high, log=knob.log)
        for knob in KNOBS
    }


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _rows(found: "list[FrozenTrial]") -> pl.DataFrame:
    """Return the rows of evaluation.trials, of those trials that came to an end."""
    rows = [
        {"trial": trial.number, "score": trial.value, **trial.user_attrs}
        for trial in found
        if trial.state.name == "COMPLETE"
    ]
    best = max(rows, key=lambda row: (row["score"], -row["trial"]))
    return pl.DataFrame([{**row, "settings": json.dumps(row["settings"]), "is_best": row is best} for row in rows])
