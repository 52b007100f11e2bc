"""Contracts of the registry: what the lake knows about itself."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistrySnapshots(dy.Schema):
    """One row per checkpoint: a snapshot that ended a successful run. Anything between two of them is torn."""

    key = key_column("the snapshot's id as text")
    snapshot = dy.Int64(nullable=False, metadata=about("the lake's snapshot id"))
    run_id = dy.String(nullable=False, metadata=about("the Dagster run that ended with it"))
    ended_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("when the run ended"))


class RegistryChanges(dy.Schema):
    """One row per checkpoint and table that had changed since the point before it.

    A table that a point has no row for stands as the newest row before it says.
    """

    key = key_column("snapshot:table")
    snapshot = dy.Int64(nullable=False, metadata=about("the checkpoint"))
    table = dy.String(nullable=False, metadata=about("the table, schema and name"))
    rows = dy.Int64(nullable=False, metadata=about("rows in the table at that point"))
    inserted = dy.Int64(nullable=False, metadata=about("rows under a key that was not there at the point before"))
    updated = dy.Int64(nullable=False, metadata=about("rows with other values under the same key"))
    deleted = dy.Int64(nullable=False, metadata=about("keys that are there no more"))


class RegistryWatermarks(dy.Schema):
    """One row per derived table or check: how far it has followed its sources.

    A table's row is written with the table's own rows, in one transaction.
    """

    key = key_column("the derived table, or the check and the table that it looks at")
    snapshot = dy.Int64(nullable=False, metadata=about("the lake's snapshot up to which all sources were followed"))
    made_by = dy.String(
        nullable=False, metadata=about("digest of the code, contract, settings and versions that did it")
    )
