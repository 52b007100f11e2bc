"""Judged queries: how many there are, and how many a build needs to train a model and to choose an order."""

from math import ceil
from typing import Any

from models.settings import TrainingSettings
from warehouse.features import datasets
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.settings import ReleaseSettings


def judged_queries(home: Home, training: TrainingSettings, release: ReleaseSettings) -> dict[str, Any]:
    """Return the numbers of judgements and judged queries, and the numbers that are needed, as plain values.

    A query counts if it has an Exact product. `needed` holds the smallest number of train and validation queries; `to_train`
    and `to_choose` the number of judged queries outside the test split that gives so many (None: no number does).
    """
    with home.lake.reading() as connection:
        is_there = tables.exists(connection, "staging.judgements")
        judgements = tables.count(connection, "staging.judgements") if is_there else 0
    queries, percent = datasets.judged_queries(home.lake), home.settings.validation_percent
    return {
        "judgements": judgements,
        "queries": {split: queries.get(split, 0) for split in ("train", "validation", "test")},
        "needed": {"train": training.min_queries, "validation": release.min_queries},
        "to_train": ceil(training.min_queries * 100 / (100 - percent)),
        "to_choose": ceil(release.min_queries * 100 / percent) if percent else None,
    }
