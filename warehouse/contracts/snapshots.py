"""Contracts of the registry: what the lake knows about itself."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistrySnapshots(dy.Schema):
    """One row per as-of point: a snapshot that ended a successful run. Anything between two of them is torn."""

    key = key_column("the snapshot's id as text")
    snapshot = dy.Int64(nullable=False, metadata=about("the lake's snapshot id"))
    run_id = dy.String(nullable=False, metadata=about("the Dagster run that ended with it"))
    ended_at = dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=about("when the run ended"))
