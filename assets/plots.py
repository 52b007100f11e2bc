"""Plots for the UI: small pictures carried inside the metadata."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

SYSTEMS = ("random", "bm25", "encoder", "model")
_METRICS = ("ndcg", "recall@10", "recall@100", "mrr")


def training_curves(log: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw losses and validation recall by epoch, with the epoch that was kept."""
    figure, (loss, recall) = _figure(2)
    epochs = log["epoch"].to_list()
    for name in ("train_loss", "val_loss"):
        loss.plot(epochs, log[name].cast(pl.Float64).to_list(), marker="o", label=name)
    for name in ("recall_at_10", "recall_at_100", "mrr"):
        recall.plot(epochs, log[name].cast(pl.Float64).to_list(), marker="o", label=name)
    for axes, title in ((loss, "loss"), (recall, "validation, full catalogue")):
        axes.axvline(log.filter("is_best")["epoch"].to_list()[0], color="grey", linestyle=":")
        axes.set(title=title, xlabel="epoch (0 is the encoder)")
        axes.legend()
    return _markdown(figure, "training curves")


def relevance_bars(summary: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """Draw the model beside random, BM25 and the encoder, a group of bars for each metric."""
    figure, (axes,) = _figure(1)
    width = 1 / (len(SYSTEMS) + 1)
    for place, system in enumerate(SYSTEMS):
        values = [summary["systems"][system][metric] or 0.0 for metric in _METRICS]
        bars = axes.bar([x + place * width for x in range(len(_METRICS))], values, width, label=system)
        axes.bar_label(bars, fmt="%.3f", fontsize=7)
    axes.set_xticks([x + 1.5 * width for x in range(len(_METRICS))], _METRICS)
    axes.set(title=f"relevance on {summary['systems']['model']['queries']} test queries", ylim=(0, 1.08))
    axes.legend()
    return _markdown(figure, "relevance")


def _figure(panels: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * panels + 2, 3.6), layout="constrained")
    return figure, [figure.add_subplot(1, panels, panel + 1) for panel in range(panels)]


def _markdown(figure: Any, title: str) -> dg.MarkdownMetadataValue:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    return dg.MarkdownMetadataValue(
        f"![{title}](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"
    )
