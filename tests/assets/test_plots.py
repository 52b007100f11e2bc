"""Plots are pictures inside the metadata, also where something was not measured."""

import base64

import polars as pl

from assets.plots import relevance_bars, training_curves

PNG = b"\x89PNG\r\n\x1a\n"


def _picture(markdown) -> bytes:
    head, data = markdown.value.split(";base64,")
    assert head.endswith("(data:image/png")
    return base64.b64decode(data.removesuffix(")"))


def test_training_curves_are_drawn_without_validation_too():
    columns = ("train_loss", "val_loss", "recall_at_10", "recall_at_100", "mrr")
    log = pl.DataFrame({"epoch": [0, 1], "is_best": [True, False], **{name: [None, None] for name in columns}})
    assert _picture(training_curves(log)).startswith(PNG)
    full = log.with_columns(*(pl.Series(name, [0.1, 0.9]) for name in columns))
    assert len(_picture(training_curves(full))) > len(_picture(training_curves(log)))


def test_relevance_bars_show_a_metric_that_nothing_was_measured_of():
    means = {"ndcg": 0.9, "recall@10": None, "recall@100": None, "mrr": None, "queries": 3}
    summary = {"systems": dict.fromkeys(("random", "bm25", "encoder", "model"), means)}
    assert _picture(relevance_bars(summary)).startswith(PNG)
