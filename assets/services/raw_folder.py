"""The raw folder of a run: the ESCI folder that was named, or the one that stands for the declared sources."""

from collections.abc import Sequence
from pathlib import Path

from assets.run_context import RunContext
from warehouse.declaration.attributes import ATTRIBUTES_FILE
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile
from warehouse.ingest.delta_rows import valid_rows
from warehouse.ingest.deltas import applied_files
from warehouse.ingest.late_events import decided_by
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
    folder = home.prepared_sources
    prepare(run_context.sources, (run_context.raw or home.root).absolute(), folder, home.settings.memory_gb)
    return folder


def change_attributes(home: Home, deltas: Sequence[DeltaFile]) -> None:
    """Bring the attributes of applied delta files into the prepared folder, from which their table follows.

    A row counts here if it counted for its product. A run that was killed before this step makes up for it: a file that was
    applied before is merged again.
    """
    attributes = home.prepared_sources / ATTRIBUTES_FILE
    sequence_numbers = applied_files(home.lake) if attributes.is_file() else {}
    for delta in deltas:
        if delta.attributes is not None and delta.identity in sequence_numbers:
            decided = decided_by(home.lake, delta.source_spec.table, sequence_numbers[delta.identity])
            valid = valid_rows(delta, home.settings.batch_rows, home.settings.memory_gb)
            merge_attributes(attributes, delta.attributes, valid, decided)
