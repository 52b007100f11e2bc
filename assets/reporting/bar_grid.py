"""Panels: many small bar charts in one picture, drawn as a few shapes on one axes object.

One matplotlib axes object per chart takes seconds, because matplotlib measures all ticks before it draws them.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ACROSS = 4
"""Panels in a row."""

_WIDTH, _HEIGHT = 3.0, 2.2  # inches of a panel with its labels
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.45, 0.1, 0.3, 0.65  # inches of it that stay free for labels
_NAME_CHARS = 12
_COLORS = ("tab:blue", "tab:orange", "tab:green", "tab:red")

Point = tuple[float, float]

# matplotlib logs each font list that it makes and a home directory that it cannot write to: both are harmless.
logging.getLogger("matplotlib").setLevel(logging.ERROR)


class Panel(NamedTuple):
    """Hold one chart: a group of bars for each name, in it a bar for each series; values from 0 on."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]


def draw_panels(panels: Sequence[Panel]) -> Any:
    """Return a matplotlib figure with the panels, row by row; color and name distinguish several series."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure

    width, height = _WIDTH * ACROSS, _HEIGHT * max(-(-len(panels) // ACROSS), 1)
    figure = Figure(figsize=(width, height))
    sheet = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))  # measured in inches
    sheet.set_axis_off()
    frames: list[list[Point]] = []
    bars: dict[str, list[list[Point]]] = {color: [] for color in _COLORS}
    for position, panel in enumerate(panels):
        x = position % ACROSS * _WIDTH + _LEFT
        y = height - (position // ACROSS + 1) * _HEIGHT + _BOTTOM
        panel_width, panel_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        frames.append([*_box(x, y, panel_width, panel_height), (x, y)])
        sheet.text(
            x + panel_width / 2,
            y + panel_height + 0.06,
            as_latin(panel.title),
            fontsize=9,
            ha="center",
            va="bottom",
            parse_math=False,
        )
        _name_bars(sheet, panel, x, y, panel_width)
        maximum = max((value for values in panel.series.values() for value in values), default=0.0) or 1.0
        for share in (0.0, 0.5, 1.0):
            label = f"{share * maximum:.3g}"
            sheet.text(x - 0.05, y + share * panel_height / 1.05, label, fontsize=7, ha="right", va="center")
        step = panel_width / max(len(panel.names), 1)
        bar_width = 0.8 * step / max(len(panel.series), 1)
        for number, (color, values) in enumerate(zip(_COLORS, panel.series.values(), strict=False)):
            bars[color] += [
                _box(x + (0.1 + name) * step + number * bar_width, y, bar_width, panel_height / 1.05 * value / maximum)
                for name, value in enumerate(values)
            ]
    for color, shapes in bars.items():
        sheet.add_collection(PolyCollection(shapes, facecolors=color, linewidths=0))
    sheet.add_collection(LineCollection(frames, colors="black", linewidths=0.8))
    return figure


def _name_bars(sheet: Any, panel: Panel, x: float, y: float, panel_width: float) -> None:
    """Write the names below the bars, and those of several series into the panel."""
    step = panel_width / max(len(panel.names), 1)
    for position, name in enumerate(panel.names):
        label = name.split(": ")[-1].removeprefix("= ")
        anchor = (x + (position + 0.5) * step, y - 0.05)
        sheet.text(
            *anchor, as_latin(label)[:_NAME_CHARS], fontsize=6, rotation=90, ha="center", va="top", parse_math=False
        )
    if len(panel.series) > 1:
        for number, (color, name) in enumerate(zip(_COLORS, panel.series, strict=False)):
            anchor = (x + panel_width - 0.05, y + _HEIGHT - _TOP - _BOTTOM - 0.1 - 0.12 * number)
            sheet.text(*anchor, as_latin(name), color=color, fontsize=7, ha="right", va="center", parse_math=False)


def as_latin(text: str) -> str:
    """Return text with `?` for letters that matplotlib's own font may lack: it warns of those."""
    return "".join(letter if letter.isprintable() and (letter <= "ÿ" or letter == "≤") else "?" for letter in text)


def _box(x: float, y: float, width: float, height: float) -> list[Point]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
