"""Tables are compared whole where a run reads no files, or is asked to."""

from pathlib import Path
from typing import Any

import pytest

from assets.run_context import RunContext
from warehouse.home import Home
from warehouse.ingest.sources import ESCI_SOURCES


@pytest.mark.parametrize(
    ("fields", "whole"),
    [
        ({}, True),
        ({"raw": Path("esci")}, False),
        ({"sources": ESCI_SOURCES}, False),
        ({"deltas": (Path("a.jsonl"),)}, False),
        ({"pinned_model": "m1"}, False),
        ({"sources": ESCI_SOURCES, "compare_all": True}, True),
    ],
)
def test_a_run_compares_tables_whole_if_it_reads_no_files_or_is_asked_to(
    tmp_path: Path, fields: dict[str, Any], whole: bool
) -> None:
    assert RunContext(Home(tmp_path), **fields).compares_whole is whole
