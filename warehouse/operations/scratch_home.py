"""Scratch homes: homes with a temporary lake, empty or with the raw tables of an old snapshot."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.time_series import FeatureViews
from warehouse.features import feature_views
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.run_log import Journal
from warehouse.vectors.text_index import TextIndex

_RAW, _VIEWS, _KEPT = "raw.", ("timeseries.", "attributes."), "fitted.words"  # ingested, or as the last build made it


@dataclass(frozen=True)
class RecomputedHome(Home):
    """A home within another one that shares its embeddings and models, and has its own lake and journal."""

    scratch: Path = Path()

    @cached_property
    def lake(self) -> Lake:
        """Return the scratch lake."""
        return Lake(self.scratch / "lake", self.settings)

    @cached_property
    def texts(self) -> TextIndex:
        """Return the text index of the scratch lake's catalog."""
        return TextIndex(self.scratch / "vectors")

    @cached_property
    def journal(self) -> Journal:
        """Return the scratch journal."""
        return Journal(self.scratch / "runs.jsonl")


@contextmanager
def recomputed_home(home: Home, snapshot: int) -> Iterator[RecomputedHome]:
    """Yield a home whose lake has the raw tables as of a snapshot, and no derived ones.

    A run of their assets recomputes the derived tables in it. Its files are in the home during the block; the caller holds
    the run lock, so that there is only one.
    """
    with home.lake.reading(snapshot) as connection:
        declared = tuple(
            table for table, _ in feature_views.declarations(connection)
        )  # as declared at the snapshot, not now
    with scratch_home(home, declared) as recomputed:
        _copy(home.lake, snapshot, recomputed, (_RAW, *_VIEWS, _KEPT))
        yield recomputed


@contextmanager
def scratch_home(home: Home, declared: FeatureViews = ()) -> Iterator[RecomputedHome]:
    """Yield a home with its own empty lake that shares this one's embeddings and models, and delete the lake afterwards.

    The caller holds the run lock, so that there is only one.
    """
    scratch = home.root / "recompute"
    shutil.rmtree(scratch, ignore_errors=True)  # the remains of a killed process
    try:
        yield RecomputedHome(home.root, home.settings, declared, scratch=scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def copy_feature_views(home: Home, into: RecomputedHome) -> None:
    """Copy the current tables of the feature views, the rows of their files in raw.files, and the last build's word counts."""
    _copy(home.lake, home.lake.snapshot(), into, (*_VIEWS, _KEPT))
    files = into.contracts["raw.files"]
    with home.lake.reading() as source, into.lake.writing() as connection:
        rows = source.execute(f"FROM {files.table} WHERE starts_with(key, ?) OR starts_with(key, ?)", list(_VIEWS)).pl()
        view_files = rows.select(name for name in (*files.columns, INPUT_HASH) if name in rows.columns)
        if view_files.height:
            connection.execute(f"INSERT INTO {files.table} BY NAME FROM view_files")


def _copy(lake: Lake, snapshot: int, into: RecomputedHome, prefixes: tuple[str, ...]) -> None:
    """Copy tables as of a snapshot: rows and input hashes, with the columns of their current contracts."""
    with lake.reading(snapshot) as source, into.lake.writing() as connection:
        for table, contract in into.contracts.items():
            if table.startswith(prefixes):
                tables.ensure(connection, contract)
            if table.startswith(prefixes) and tables.exists(source, table):
                batches = source.sql(f"FROM {table}").to_arrow_reader(lake.settings.batch_rows)
                names = [name for name in (*contract.columns, INPUT_HASH) if name in batches.schema.names]
                for batch in batches:
                    connection.register("rows_then", pl.DataFrame(batch).select(names))
                    connection.execute(f"INSERT INTO {table} BY NAME FROM rows_then")
                    connection.unregister("rows_then")
