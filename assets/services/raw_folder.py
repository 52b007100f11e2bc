"""The raw folder of a run: the ESCI folder that was named, or the one that stands for the declared sources."""

from collections.abc import Sequence
from pathlib import Path

from assets.run_context import RunContext
from warehouse.declaration.attributes import ATTRIBUTES_FILE
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile
from warehouse.sources.delta import merge_attributes
from warehouse.sources.prepared import prepare


def raw_folder(run_context: RunContext) -> Path | None:
    """Return the folder that a run ingests; None if the run starts from the lake's contents, as one of delta files does.

    Raises:
        WarehouseError: A declared file is missing, has another shape, or lacks declared columns.
    """
    if not run_context.sources or run_context.deltas:
        return run_context.raw
    home = run_context.home
    folder = prepared_folder(home)
    prepare(run_context.sources, (run_context.raw or home.root).absolute(), folder, home.settings.memory_gb)
    return folder


def prepared_folder(home: Home) -> Path:
    """Return the folder that stands for the declared sources of a home."""
    return home.root / "sources"


def change_attributes(home: Home, deltas: Sequence[DeltaFile]) -> None:
    """Bring the attributes of delta files into the prepared folder, from which their table follows."""
    attributes = prepared_folder(home) / ATTRIBUTES_FILE
    for delta in deltas:
        if delta.attributes is not None and attributes.is_file():
            merge_attributes(attributes, delta.attributes)
