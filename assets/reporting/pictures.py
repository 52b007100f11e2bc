"""Pictures: drawn when what they show has changed, else those of the run before."""

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import dagster as dg
import polars as pl

from assets.keys import asset_key
from warehouse.code_digest import digest

_MADE_FROM = "drawn_from"
_CODE = ("reporting/plots.py", "reporting/bar_grid.py", "reporting/evaluation_report.py")


def drawn(
    context: dg.AssetExecutionContext,
    table: str,
    names: Sequence[str],
    inputs: Sequence[object],
    draw: Callable[[], Iterable[dg.MetadataValue[Any]]],
) -> dict[str, Any]:
    """Return the metadata with an asset's pictures, and with the digest of what they were drawn from.

    To draw takes longer than to bring most tables up to date. So what the newest materialisation shows is shown again, if it
    was drawn from equal inputs, by the same code.

    Args:
        context: The run.
        table: The asset.
        names: The pictures, as the UI is to name them.
        inputs: All that they are made from: frames, and what `str` tells apart.
        draw: What draws them, in that order.
    """
    code = [files("assets").joinpath(name).read_text(encoding="utf-8") for name in _CODE]
    given = [value.write_json() if isinstance(value, pl.DataFrame) else str(value) for value in inputs]
    made_from = digest(*code, *names, *given)
    before = context.instance.get_latest_materialization_event(asset_key(table))
    known = before.asset_materialization.metadata if before and before.asset_materialization else {}
    if known.get(_MADE_FROM) == dg.TextMetadataValue(made_from):
        return {name: known[name] for name in (_MADE_FROM, *names)}
    return {_MADE_FROM: made_from, **dict(zip(names, draw(), strict=True))}
