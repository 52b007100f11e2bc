"""Plots for the UI: small pictures carried inside the metadata."""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from assets.reporting.bar_grid import Panel, as_latin, draw_panels

RANKERS = ("random", "bm25", "encoder", "previous", "model", "ranked")
_PANELS, _BARS = 8, 16  # panels of features with drift, bars of PSI
_METRICS = ("ndcg", "recall@10", "recall@100", "mrr")


def training_curves(log: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw losses and validation recall by epoch, and mark the best epoch."""
    figure, (loss, recall) = _figure(2)
    epochs = log["epoch"].to_list()
    for name in ("train_loss", "val_loss"):
        loss.plot(epochs, log[name].cast(pl.Float64).to_list(), marker="o", label=name)
    for name in ("recall_at_10", "recall_at_100", "mrr"):
        recall.plot(epochs, log[name].cast(pl.Float64).to_list(), marker="o", label=name)
    for axes, title in ((loss, "loss"), (recall, "validation, full catalog")):
        axes.axvline(log.filter("is_best")["epoch"].to_list()[0], color="gray", linestyle=":")
        axes.set(title=title, xlabel="epoch (0 is the encoder)")
        axes.legend()
    return _markdown(figure, "training curves")


def importances(shares: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """Draw the share of each feature in the gain of the ranker's trees, the highest first."""
    ordered = sorted(shares.items(), key=lambda each: each[1])
    figure, (axes,) = _figure(1, height=0.8 + 0.2 * len(ordered), left=1.6)
    bars = axes.barh([name for name, _ in ordered], [share for _, share in ordered])
    axes.bar_label(bars, fmt="%.3f", fontsize=7)
    axes.set(title="share of the gain of all splits", xlim=(0, 1.15 * max(shares.values())))
    return _markdown(figure, "importances")


def relevance_bars(summary: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """Draw the scores of random, BM25, encoder, previous model and model, as a group of bars for each metric."""
    figure, (axes,) = _figure(1)
    rankers = [name for name in RANKERS if name in summary["rankers"]]
    width = 1 / (len(rankers) + 1)
    for position, ranker in enumerate(rankers):
        values = [summary["rankers"][ranker][metric] or 0.0 for metric in _METRICS]
        bars = axes.bar([x + position * width for x in range(len(_METRICS))], values, width, label=ranker)
        axes.bar_label(bars, fmt="%.3f", fontsize=7)
    axes.set_xticks([x + 1.5 * width for x in range(len(_METRICS))], _METRICS)
    axes.set(title=f"relevance on {summary['rankers']['model']['queries']} test queries", ylim=(0, 1.2))
    axes.legend(loc="upper center", ncols=len(rankers), fontsize=7)
    return _markdown(figure, "relevance")


def slice_differences(metrics: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the model's lead over each baseline in every slice, with its interval, given rows of evaluation.metrics."""
    differences = metrics.filter(pl.col("ranker").str.starts_with("model_minus_") & (pl.col("locale") == "all"))
    parts = differences.select("slice", "part").unique().sort("slice", "part", descending=True)
    figure, panels = _figure(2, height=1.6 + 0.42 * parts.height, left=1.6)
    for axes, metric in zip(panels, ("recall@10", "ndcg_two_gains"), strict=True):
        rankers = differences.filter(metric=metric)["ranker"].unique().sort().to_list()
        for shift, ranker in enumerate(rankers):
            rows = parts.with_row_index("y").join(
                differences.filter(metric=metric, ranker=ranker), on=["slice", "part"]
            )
            value, low, high = (rows[name].to_numpy() for name in ("value", "low", "high"))
            height = rows["y"].to_numpy() + 0.2 * (shift - (len(rankers) - 1) / 2)
            spread = (value - low, high - value)
            axes.errorbar(value, height, xerr=spread, fmt="o", markersize=4, label=ranker.replace("_", " "))
        query_counts: dict[tuple[str, str], str] = {}
        for name, part, queries, low_end in (
            differences.filter(metric=metric).select("slice", "part", "queries", "low").iter_rows()
        ):
            query_counts[name, part] = f"n={queries}" if low_end is not None else f"n={queries}: too few to judge"
        names = [
            f"{' '.join(dict.fromkeys(part_names))} ({query_counts.get(part_names, 'n=0')})"
            for part_names in parts.iter_rows()
        ]
        axes.set_yticks(range(parts.height), names, fontsize=8)
        axes.axvline(0, color="gray", linestyle=":")
        axes.set(title=f"difference in {metric}, 95 % interval", ylim=(-0.6, parts.height - 0.4))
        if rankers:
            axes.legend(fontsize=7)
    return _markdown(figure, "slices")


def locale_bars(metrics: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw every ranker's recall@10 and nDCG by locale, given rows of evaluation.metrics."""
    whole = metrics.filter(slice="all")
    locales = whole["locale"].unique().sort().to_list()
    rankers = [name for name in RANKERS if name in whole["ranker"].unique().to_list()]
    figure, panels = _figure(2)
    width = 1 / (len(rankers) + 1)
    for axes, metric in zip(panels, ("recall@10", "ndcg"), strict=True):
        for position, ranker in enumerate(rankers):
            by_locale = dict(whole.filter(metric=metric, ranker=ranker).select("locale", "value").iter_rows())
            heights = [by_locale.get(locale) or 0.0 for locale in locales]
            bars = axes.bar([x + position * width for x in range(len(locales))], heights, width, label=ranker)
            axes.bar_label(bars, fmt="%.2f", fontsize=6)
        centers = [x + width * (len(rankers) - 1) / 2 for x in range(len(locales))]
        axes.set_xticks(centers, [*map(as_latin, locales)], parse_math=False)
        axes.set(title=f"{metric} by locale", ylim=(0, 1.2))
        axes.legend(loc="upper center", ncols=len(rankers), fontsize=7)
    return _markdown(figure, "locales")


def distributions(stats: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the distribution of each feature over its bins, given rows of monitoring.feature_stats."""
    overall = stats.filter(locale="all").sort("column_name")
    panels = []
    for column, bins in overall.select("column_name", "bins").iter_rows():
        shares = json.loads(bins)
        panels.append(Panel(column, [one["bin"] for one in shares], {"share": [one["share"] for one in shares]}))
    return _markdown(draw_panels(panels), "distributions")


def moved_distributions(drift: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the distributions of the features with the most drift and their references, given rows of monitoring.drift."""
    rows = drift.filter(locale="all").sort("psi", "key", descending=[True, False]).head(_PANELS)
    panels = []
    for row in rows.iter_rows(named=True):
        bins = json.loads(row["bins"])
        shares = {
            row["reference"]: [one["reference"] for one in bins],
            "now": [one["share"] for one in bins],
        }
        panels.append(Panel(f"{row['column_name']}, PSI {row['psi']:.3f}", [one["bin"] for one in bins], shares))
    return _markdown(draw_panels(panels), "distributions, now and in the reference")


def psi_bars(drift: pl.DataFrame, notable: float, warning: float) -> dg.MarkdownMetadataValue:
    """Draw the largest PSI of each feature with the two thresholds, given rows of monitoring.drift."""
    rows = (
        drift.filter(locale="all")
        .group_by("table_name", "column_name", "reference")
        .agg(pl.col("psi").max())
        .sort("psi", "table_name", "column_name", "reference", descending=[True, False, False, False])
        .head(_BARS)
        .reverse()
    )
    figure, (axes,) = _figure(1, left=3.2)
    names = [as_latin(f"{table}.{column} ({reference})") for table, column, reference, _ in rows.iter_rows()]
    axes.barh(range(rows.height), rows["psi"].to_list())
    axes.set_yticks(range(rows.height), names, parse_math=False)
    for threshold in (notable, warning):
        axes.axvline(threshold, color="gray", linestyle=":")
    axes.tick_params(axis="y", labelsize=7)
    axes.set(title="population stability index, all locales", xlabel="PSI")
    return _markdown(figure, "population stability index")


def _figure(panels: int, height: float = 3.6, left: float = 0.6) -> tuple[Any, list[Any]]:
    """Return a figure with a row of panels; `height` is the figure's, `left` the margin of each panel, in inches."""
    from matplotlib.figure import Figure

    width = 5 * panels + 2
    figure = Figure(figsize=(width, height))
    panel_width = width / panels  # fixed, not measured: measuring all labels takes as long as drawing them
    figure.subplots_adjust(
        left=left / width,
        right=1 - 0.15 / width,
        top=1 - 0.35 / height,
        bottom=0.5 / height,
        wspace=(left + 0.15) / (panel_width - left - 0.15),
    )
    return figure, [figure.add_subplot(1, panels, panel + 1) for panel in range(panels)]


def _markdown(figure: Any, title: str) -> dg.MarkdownMetadataValue:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    return dg.MarkdownMetadataValue(
        f"![{title}](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"
    )
