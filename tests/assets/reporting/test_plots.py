"""The metadata contains the plots as pictures, also if a metric is missing."""

import base64
import json

import polars as pl
import pytest

from assets.reporting.plots import (
    distributions,
    locale_bars,
    moved_distributions,
    psi_bars,
    relevance_bars,
    slice_differences,
    training_curves,
)

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
    summary = {"rankers": dict.fromkeys(("random", "bm25", "encoder", "model"), means)}
    assert _picture(relevance_bars(summary)).startswith(PNG)


def _bins(**shares):
    return json.dumps([{"bin": name, "share": share, "reference": 0.5} for name, share in shares.items()])


@pytest.mark.parametrize("columns", [1, 5])
def test_features_are_drawn_whatever_letters_their_values_have(columns):
    names = [f"c{place}" for place in range(columns)]
    stats = pl.DataFrame(
        [{"column_name": name, "locale": "all", "bins": _bins(なし=0.2, missing=0.8)} for name in names]
    )
    row = {
        "table_name": "features.products",
        "locale": "all",
        "reference": "previous",
        "psi": 0.3,
        "bins": _bins(a=0.1),
    }
    drift = pl.DataFrame([{"key": name, "column_name": name, **row} for name in names])
    for picture in (distributions(stats), moved_distributions(drift), psi_bars(drift, 0.1, 0.25)):
        assert _picture(picture).startswith(PNG)


def test_slices_and_locales_are_drawn_though_one_says_nothing_of_a_metric():
    schema = dict.fromkeys(("locale", "slice", "part", "ranker", "metric"), pl.String)
    schema |= dict.fromkeys(("value", "low", "high"), pl.Float64) | {"queries": pl.Int64}
    rows = [
        (locale, name, part, ranker, metric, 0.1, 0.05, 0.2, 4)
        for locale in ("all", "us")
        for name, part in (("all", "all"), ("brand", "seen"), ("brand", "none"))
        for ranker in ("model", "encoder", "model_minus_encoder", "model_minus_previous")
        for metric in ("recall@10", "ndcg", "ndcg_two_gains")
        if (part, metric) != ("none", "recall@10")
    ]
    rows += [("all", "all", "all", "bm25", "recall@10", None, None, None, 4)]
    metrics = pl.DataFrame(rows, schema=schema, orient="row")
    for draw in (slice_differences, locale_bars):
        assert _picture(draw(metrics)).startswith(PNG)
    few = metrics.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("low", "high"))
    assert _picture(slice_differences(few)).startswith(PNG)
    assert slice_differences(few).value != slice_differences(metrics).value


def test_slices_are_drawn_though_no_model_was_measured_beside_another():
    schema = dict.fromkeys(("locale", "slice", "part", "ranker", "metric"), pl.String)
    schema |= dict.fromkeys(("value", "low", "high"), pl.Float64) | {"queries": pl.Int64}
    assert _picture(slice_differences(pl.DataFrame(schema=schema))).startswith(PNG)
