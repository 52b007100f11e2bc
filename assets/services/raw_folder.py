"""The raw folder of a run: the ESCI folder that was named, or the one that stands for the declared sources."""

from pathlib import Path

from assets.run_context import RunContext
from warehouse.sources.prepared import prepare


def raw_folder(run_context: RunContext) -> Path | None:
    """Return the folder that a run ingests; None if the run starts from the lake's contents.

    Raises:
        WarehouseError: A declared file is missing, has another shape, or lacks declared columns.
    """
    if not run_context.sources:
        return run_context.raw
    home = run_context.home
    base = (run_context.raw or home.root).absolute()
    folder = home.root / "sources"
    prepare(run_context.sources, base, folder, home.settings.memory_gb)
    return folder
