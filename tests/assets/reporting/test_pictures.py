"""A plot is drawn again once its figures change, and not before."""

import dagster as dg
import polars as pl
import pytest

from assets.reporting.pictures import drawn
from warehouse.home import Home

FIGURES = pl.DataFrame({"name": ["a", None], "share": [0.5, None]})


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def draw():
    """Return a function that draws, and the list of what it drew."""
    calls = []

    def draw(*figures):
        calls.append(figures)
        return dg.MarkdownMetadataValue(f"picture {len(calls)}\nof {len(figures)}")

    draw.calls = calls
    return draw


def test_equal_figures_are_drawn_once(home, draw):
    first = drawn(home, "drift", draw, FIGURES, 0.1)
    assert drawn(home, "drift", draw, FIGURES.clone(), 0.1) == first
    assert len(draw.calls) == 1


@pytest.mark.parametrize("other", [(FIGURES.head(1), 0.1), (FIGURES, 0.2), (FIGURES.with_columns(share=0.5), 0.1)])
def test_other_figures_are_drawn_and_kept_in_place_of_the_old_ones(home, draw, other):
    drawn(home, "drift", draw, FIGURES, 0.1)
    second = drawn(home, "drift", draw, *other)
    assert drawn(home, "drift", draw, *other) == second
    assert len(draw.calls) == 2
    assert [file.name for file in (home.root / "pictures").iterdir()] == ["drift.md"]


def test_another_name_has_a_picture_of_its_own(home, draw):
    assert drawn(home, "features.products", draw, FIGURES) != drawn(home, "features.pairs", draw, FIGURES)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"another\npicture"])
def test_a_damaged_picture_is_drawn_again(home, draw, content):
    drawn(home, "drift", draw, FIGURES)
    (home.root / "pictures" / "drift.md").write_bytes(content)
    assert drawn(home, "drift", draw, FIGURES).value.startswith("picture 2")
