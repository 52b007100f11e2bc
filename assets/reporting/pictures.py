"""The pictures of the last run: a plot whose figures are those of the last time is not drawn again."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import version

import dagster as dg
import polars as pl

from assets.reporting import bar_grid, evaluation_report, plots
from warehouse.code_digest import code_digest, digest
from warehouse.home import Home

Figures = pl.DataFrame | float


def drawn(
    home: Home, name: str, draw: Callable[..., dg.MarkdownMetadataValue], *figures: Figures
) -> dg.MarkdownMetadataValue:
    """Return `draw(*figures)`, or the picture that the same code drew of the same figures in the last run.

    The home keeps one picture a name, in `pictures/`.
    """
    made_of = digest(_code(), draw.__name__, *map(_text, figures))
    file = home.root / "pictures" / f"{name}.md"
    if file.exists():
        earlier, _, markdown = file.read_text(encoding="utf-8", errors="replace").partition("\n")
        if earlier == made_of:
            return dg.MarkdownMetadataValue(markdown)
    picture = draw(*figures)
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".draft")  # renamed once it is whole
    draft.write_text(f"{made_of}\n{picture.value}", encoding="utf-8")
    draft.rename(file)
    return picture


@cache
def _code() -> str:
    return digest(code_digest(plots, bar_grid, evaluation_report), version("matplotlib"))


def _text(figures: Figures) -> str:
    return figures.write_json() if isinstance(figures, pl.DataFrame) else repr(figures)
