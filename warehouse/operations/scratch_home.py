"""Recomputation: a home whose lake starts from the raw tables of an old snapshot alone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.time_series import FeatureViews
from warehouse.features import point_in_time
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.run_log import Journal

_RAW, _TIME_SERIES = "raw.", "timeseries."  # what came in from outside, and is not derived


@dataclass(frozen=True)
class RecomputedHome(Home):
    """A home that shares embeddings and models with the one it stands in, and has a lake and a journal of its own."""

    scratch: Path = Path()

    @cached_property
    def lake(self) -> Lake:
        """Return the scratch lake."""
        return Lake(self.scratch / "lake", self.settings)

    @cached_property
    def journal(self) -> Journal:
        """Return a journal that no one else reads."""
        return Journal(self.scratch / "runs.jsonl")


@contextmanager
def recomputed_home(home: Home, snapshot: int) -> Iterator[RecomputedHome]:
    """Yield a home whose lake holds the raw tables as of a snapshot and nothing that was derived from them.

    Derived tables are made anew in it by running their assets. Its files lie in the home while the block runs; the caller
    holds the run lock, so that there is one at a time.
    """
    with home.lake.reading(snapshot) as connection:
        declared = tuple(
            table for table, _ in point_in_time.declarations(connection)
        )  # those of then, whatever is declared now
    with scratch_home(home, declared) as recomputed:
        _copy(home.lake, snapshot, recomputed, (_RAW, _TIME_SERIES))
        yield recomputed


@contextmanager
def scratch_home(home: Home, declared: FeatureViews = ()) -> Iterator[RecomputedHome]:
    """Yield a home with an empty lake of its own, forgotten afterwards, that shares embeddings and models with this one.

    The caller holds the run lock, so that there is one at a time.
    """
    scratch = home.root / "recompute"
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed process left
    try:
        yield RecomputedHome(home.root, home.settings, declared, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def copy_feature_views(home: Home, into: RecomputedHome) -> None:
    """Copy the tables of time-series features as they now are, with what is known of their files."""
    _copy(home.lake, home.lake.snapshot(), into, (_TIME_SERIES,))
    files = into.contracts["raw.files"]
    with home.lake.reading() as source, into.lake.writing() as connection:
        rows = source.execute(f"FROM {files.table} WHERE starts_with(key, ?)", [_TIME_SERIES]).pl()
        time_series_files = rows.select(name for name in (*files.columns, INPUT_HASH) if name in rows.columns)
        if time_series_files.height:
            connection.execute(f"INSERT INTO {files.table} BY NAME FROM time_series_files")


def _copy(lake: Lake, snapshot: int, into: RecomputedHome, prefixes: tuple[str, ...]) -> None:
    """Copy tables as of a snapshot: rows and input hashes, in the columns of each one's contract of today."""
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
