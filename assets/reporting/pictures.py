"""Pictures: drawn if their inputs changed, else reused from the previous run."""

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import dagster as dg
import polars as pl

from assets.keys import asset_key
from warehouse.code_digest import digest

_INPUTS_DIGEST = "drawn_from"
_CODE = ("reporting/plots.py", "reporting/bar_grid.py", "reporting/evaluation_report.py")


def picture_metadata(
    context: dg.AssetExecutionContext,
    table: str,
    names: Sequence[str],
    inputs: Sequence[object],
    draw: Callable[[], Iterable[dg.MetadataValue[Any]]],
) -> dict[str, Any]:
    """Return the metadata with an asset's pictures and the digest of their inputs.

    Drawing takes longer than updating most tables. So the pictures of the latest materialization are reused if the same
    code drew them from equal inputs.

    Args:
        context: The run.
        table: The asset.
        names: The names of the pictures in the UI.
        inputs: All inputs of the pictures: frames, and values that `str` distinguishes.
        draw: A function that draws the pictures, in the order of `names`.
    """
    code = [files("assets").joinpath(name).read_text(encoding="utf-8") for name in _CODE]
    serialized_inputs = [value.write_json() if isinstance(value, pl.DataFrame) else str(value) for value in inputs]
    inputs_digest = digest(*code, *names, *serialized_inputs)
    event = context.instance.get_latest_materialization_event(asset_key(table))
    previous = event.asset_materialization.metadata if event and event.asset_materialization else {}
    if previous.get(_INPUTS_DIGEST) == dg.TextMetadataValue(inputs_digest):
        return {name: previous[name] for name in (_INPUTS_DIGEST, *names)}
    return {_INPUTS_DIGEST: inputs_digest, **dict(zip(names, draw(), strict=True))}
