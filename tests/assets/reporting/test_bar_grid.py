"""Each panel has bars of the right height in the right place."""

import io

import numpy as np

from assets.reporting.bar_grid import ACROSS, Panel, as_latin, draw_panels


def _boxes(figure):
    """Return left, bottom, width and height of the bars of each color that there are bars of, in inches."""
    (sheet,) = figure.axes
    box_bounds = [[path.get_extents().bounds for path in shapes.get_paths()] for shapes in sheet.collections[:-1]]
    return [np.array(boxes) for boxes in box_bounds if boxes]


def test_bars_are_as_high_as_their_values_and_side_by_side():
    panel = Panel("price", ["a", "b"], {"then": [0.5, 0.25], "now": [1.0, 0.0]})
    then, now = _boxes(draw_panels([panel]))
    assert np.allclose(then[:, 3] / now[0, 3], [0.5, 0.25])
    assert now[1, 3] == 0
    assert np.allclose(now[:, 0], then[:, 0] + then[:, 2])
    assert then[1, 0] > now[0, 0] + now[0, 2]
    assert {text.get_text() for text in draw_panels([panel]).axes[0].texts} >= {"price", "a", "b", "then", "now", "1"}


def test_a_row_holds_four_panels_of_one_size():
    panels = [Panel(str(number), ["x"], {"share": [1.0 + number]}) for number in range(ACROSS + 1)]
    (bars,) = _boxes(draw_panels(panels))
    assert np.allclose(bars[:, 3], bars[0, 3])
    assert len(set(bars[:ACROSS, 1])) == 1
    assert bars[ACROSS, 1] < bars[0, 1]
    assert bars[ACROSS, 0] == bars[0, 0]


def test_panels_of_nothing_are_drawn_too():
    for panels in ([], [Panel("none", [], {})], [Panel("zero", ["a"], {"share": [0.0]})]):
        assert not any(boxes[:, 3].any() for boxes in _boxes(draw_panels(panels)))


def test_letters_that_the_font_lacks_are_replaced():
    assert [as_latin(text) for text in ("なし", "café", "≤ 3", "≤ な", "a\tb\x07")] == [
        "??",
        "café",
        "≤ 3",
        "≤ ?",
        "a?b?",
    ]


def test_what_looks_like_mathematics_is_drawn_as_it_stands():
    panel = Panel("$\\bad$", ["$\\bad$"], {"$\\bad$": [1.0], "$x^$": [0.5]})
    draw_panels([panel]).savefig(io.BytesIO())
