"""Plots for the UI: small pictures carried inside the metadata."""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

SYSTEMS = ("random", "bm25", "encoder", "previous", "model")
_MOST, _BARS, _ACROSS = 8, 16, 4  # panels of moved features, bars of PSI, panels in a row
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
    """Draw the model beside random, BM25, the encoder and the model before, a group of bars for each metric."""
    figure, (axes,) = _figure(1)
    systems = [name for name in SYSTEMS if name in summary["systems"]]
    width = 1 / (len(systems) + 1)
    for place, system in enumerate(systems):
        values = [summary["systems"][system][metric] or 0.0 for metric in _METRICS]
        bars = axes.bar([x + place * width for x in range(len(_METRICS))], values, width, label=system)
        axes.bar_label(bars, fmt="%.3f", fontsize=7)
    axes.set_xticks([x + 1.5 * width for x in range(len(_METRICS))], _METRICS)
    axes.set(title=f"relevance on {summary['systems']['model']['queries']} test queries", ylim=(0, 1.2))
    axes.legend(loc="upper center", ncols=len(systems), fontsize=7)
    return _markdown(figure, "relevance")


def slice_differences(metrics: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the model's lead over each baseline in every slice, with its interval, given rows of evaluation.metrics."""
    told = metrics.filter(pl.col("system").str.starts_with("model_minus_") & (pl.col("locale") == "all"))
    places = told.select("slice", "part").unique().sort("slice", "part", descending=True)
    figure, panels = _figure(2)
    figure.set_size_inches(12, 1.6 + 0.42 * places.height)
    for axes, metric in zip(panels, ("recall@10", "ndcg_two_gains"), strict=True):
        systems = told.filter(metric=metric)["system"].unique().sort().to_list()
        for shift, system in enumerate(systems):
            own = places.with_row_index("y").join(told.filter(metric=metric, system=system), on=["slice", "part"])
            value, low, high = (own[name].to_numpy() for name in ("value", "low", "high"))
            height = own["y"].to_numpy() + 0.2 * (shift - (len(systems) - 1) / 2)
            spread = (value - low, high - value)
            axes.errorbar(value, height, xerr=spread, fmt="o", markersize=4, label=system.replace("_", " "))
        counted = {(name, part): queries for name, part, queries in told.select("slice", "part", "queries").iter_rows()}
        names = [f"{' '.join(dict.fromkeys(place))} (n={counted[place]})" for place in places.iter_rows()]
        axes.set_yticks(range(places.height), names, fontsize=8)
        axes.axvline(0, color="grey", linestyle=":")
        axes.set(title=f"difference in {metric}, 95 % interval", ylim=(-0.6, places.height - 0.4))
        axes.legend(fontsize=7)
    return _markdown(figure, "slices")


def locale_bars(metrics: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw every system's recall@10 and nDCG by locale, given rows of evaluation.metrics."""
    whole = metrics.filter(slice="all")
    locales = whole["locale"].unique().sort().to_list()
    systems = [name for name in SYSTEMS if name in whole["system"].unique().to_list()]
    figure, panels = _figure(2)
    width = 1 / (len(systems) + 1)
    for axes, metric in zip(panels, ("recall@10", "ndcg"), strict=True):
        for place, system in enumerate(systems):
            found = dict(whole.filter(metric=metric, system=system).select("locale", "value").iter_rows())
            heights = [found.get(locale) or 0.0 for locale in locales]
            bars = axes.bar([x + place * width for x in range(len(locales))], heights, width, label=system)
            axes.bar_label(bars, fmt="%.2f", fontsize=6)
        axes.set_xticks([x + width * (len(systems) - 1) / 2 for x in range(len(locales))], locales)
        axes.set(title=f"{metric} by locale", ylim=(0, 1.2))
        axes.legend(loc="upper center", ncols=len(systems), fontsize=7)
    return _markdown(figure, "locales")


def distributions(stats: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw how the values of each feature are spread over its bins, given rows of monitoring.feature_stats."""
    overall = stats.filter(locale="all").sort("column_name")
    figure, panels = _grid(overall.height)
    for axes, (column, bins) in zip(panels, overall.select("column_name", "bins").iter_rows(), strict=True):
        shares = json.loads(bins)
        _bars(axes, column, [one["bin"] for one in shares], {"share": [one["share"] for one in shares]})
    return _markdown(figure, "distributions")


def moved_distributions(drift: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the features that moved most beside their reference, given rows of monitoring.drift."""
    most = drift.filter(locale="all").sort("psi", "key", descending=[True, False]).head(_MOST)
    figure, panels = _grid(most.height)
    for axes, row in zip(panels, most.iter_rows(named=True), strict=True):
        bins = json.loads(row["bins"])
        shares = {
            row["reference"]: [one["reference"] for one in bins],
            "now": [one["share"] for one in bins],
        }
        _bars(axes, f"{row['column_name']}, PSI {row['psi']:.3f}", [one["bin"] for one in bins], shares)
        axes.legend(fontsize=7)
    return _markdown(figure, "distributions, now and in the reference")


def psi_bars(drift: pl.DataFrame, notable: float, warning: float) -> dg.MarkdownMetadataValue:
    """Draw the largest PSI of each feature with the two thresholds, given rows of monitoring.drift."""
    most = (
        drift.filter(locale="all")
        .group_by("table_name", "column_name", "reference")
        .agg(pl.col("psi").max())
        .sort("psi", "table_name", "column_name", "reference", descending=[True, False, False, False])
        .head(_BARS)
        .reverse()
    )
    figure, (axes,) = _figure(1)
    names = [f"{table}.{column} ({reference})" for table, column, reference, _ in most.iter_rows()]
    axes.barh(names, most["psi"].to_list())
    for threshold in (notable, warning):
        axes.axvline(threshold, color="grey", linestyle=":")
    axes.tick_params(axis="y", labelsize=7)
    axes.set(title="population stability index, all locales", xlabel="PSI")
    return _markdown(figure, "population stability index")


def _bars(axes: Any, title: str, names: list[str], series: Mapping[str, list[float]]) -> None:
    """Draw groups of bars, a group for each bin."""
    width = 0.8 / len(series)
    for place, (label, values) in enumerate(series.items()):
        axes.bar([x + place * width for x in range(len(names))], values, width, label=label)
    short = [name.split(": ")[-1].removeprefix("= ") for name in names]
    axes.set_xticks(range(len(names)), [_ascii(name)[:12] for name in short], rotation=90, fontsize=6)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(title, fontsize=9)


def _ascii(text: str) -> str:
    """Return text that every font has: matplotlib warns of the letters that its own lacks."""
    return text.encode("latin-1", "replace").decode("latin-1") if "≤" not in text else text


def _figure(panels: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * panels + 2, 3.6), layout="constrained")
    return figure, [figure.add_subplot(1, panels, panel + 1) for panel in range(panels)]


def _grid(panels: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    rows = max(-(-panels // _ACROSS), 1)
    width, height = 3.0, 2.2  # inches of a panel with what stands around it
    left, right, top, bottom = 0.5, 0.1, 0.3, 0.65
    across, down = width - left - right, height - top - bottom
    figure = Figure(figsize=(width * _ACROSS, height * rows))
    figure.subplots_adjust(  # told, not found: to measure all labels takes longer than to draw them
        left=left / (width * _ACROSS),
        right=1 - right / (width * _ACROSS),
        top=1 - top / (height * rows),
        bottom=bottom / (height * rows),
        wspace=(left + right) / across,
        hspace=(top + bottom) / down,
    )
    return figure, [figure.add_subplot(rows, _ACROSS, panel + 1) for panel in range(panels)]


def _markdown(figure: Any, title: str) -> dg.MarkdownMetadataValue:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    return dg.MarkdownMetadataValue(
        f"![{title}](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"
    )
