"""Contracts of history: checkpoints, the changes between them, and watermarks."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistrySnapshots(dy.Schema):
    """One row per checkpoint, a lake snapshot that ended a successful run. A snapshot between checkpoints may be incomplete."""

    key = key_column("snapshot as text")
    snapshot = dy.Int64(nullable=False, metadata=about("id of the lake snapshot"))
    run_id = dy.String(nullable=False, metadata=about("id of the Dagster run that ended with the snapshot"))
    ended_at = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", metadata=about("time at which the run ended")
    )


class RegistryChanges(dy.Schema):
    """One row per checkpoint and table that changed since the previous checkpoint.

    A table without a row at a checkpoint is as it was at its last row before that.
    """

    key = key_column("snapshot:table")
    snapshot = dy.Int64(nullable=False, metadata=about("snapshot id of the checkpoint"))
    table = dy.String(nullable=False, metadata=about("name of the table, as schema.name"))
    rows = dy.Int64(nullable=False, metadata=about("number of rows in the table at the checkpoint"))
    inserted = dy.Int64(nullable=False, metadata=about("number of rows with a key that the previous checkpoint lacks"))
    updated = dy.Int64(nullable=False, metadata=about("number of rows with the same key and other values"))
    deleted = dy.Int64(nullable=False, metadata=about("number of keys of the previous checkpoint that are gone"))


class RegistryWatermarks(dy.Schema):
    """One row per derived table or check: the snapshot up to which it includes the changes of its sources.

    The watermarks of a run are written in one transaction at its end, after the rows that they describe.
    """

    key = key_column("name of the derived table; for a check: its table, a space, and its name")
    snapshot = dy.Int64(
        nullable=False, metadata=about("id of the lake snapshot up to which all changes of the sources are included")
    )
    made_by = dy.String(
        nullable=False,
        metadata=about("digest of the code, contract, settings and library versions that computed the rows"),
    )
