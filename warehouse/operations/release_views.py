"""SQL tables of the published data: the releases, and the vectors of the live release, read from Lance on demand."""

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from warehouse.console.external_tables import OutsideTable
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import Checkpoint, utc
from warehouse.home import Home
from warehouse.serving.release_log import SCHEMA as RELEASES
from warehouse.serving.release_log import Release
from warehouse.vectors.product_vectors import COLUMNS


def published_tables(home: Home, checkpoint: Checkpoint | None = None) -> dict[str, OutsideTable]:
    """Return `vectors.products` and `vectors.releases` for SQL queries, as of a checkpoint or the current ones.

    Without any release only `vectors.releases` exists. As of a checkpoint before the first release, reading
    `vectors.products` raises an error.
    """
    releases = releases_at(home, checkpoint)
    tables = {
        "vectors.releases": OutsideTable(
            description="One row per release; the highest number is live.",
            rows=lambda: len(releases),
            schema=lambda: RELEASES,
            load=lambda columns: _table(releases).select(list(columns)),
        )
    }
    if releases:
        tables["vectors.products"] = _vectors(home, releases[-1])
    elif checkpoint is not None:
        tables["vectors.products"] = _no_vectors(home, checkpoint)
    return tables


def releases_at(home: Home, checkpoint: Checkpoint | None = None) -> list[Release]:
    """Return the releases that existed at a checkpoint (default: now), oldest first; the last one was live.

    A release is published right after its checkpoint; a rollback names an old checkpoint later.
    """
    return [
        release
        for release in home.releases.all()
        if checkpoint is None
        or (
            release.snapshot <= checkpoint.snapshot
            and (release.kind != "rollback" or release.published_at <= checkpoint.ended_at)
        )
    ]


def _vectors(home: Home, release: Release) -> OutsideTable:
    table, version = release.vector_table, release.vector_version

    def load(columns: Sequence[str]) -> pa.Table:
        return home.vectors.read(table, version, columns or COLUMNS[:1]).select(list(columns))

    return OutsideTable(
        description=f"One row per product: its vector in release {release.release}.",
        rows=lambda: home.vectors.count(table, version),
        schema=lambda: home.vectors.schema(table, version),
        load=load,
    )


def _no_vectors(home: Home, checkpoint: Checkpoint) -> OutsideTable:
    def refuse(_columns: Sequence[str] = ()) -> pa.Table:
        first = next(iter(home.releases.all()), None)
        raise WarehouseError(
            f"no release was live as of snapshot {checkpoint}",
            f"release {first.release} of {utc(first.published_at)} was the first, made from snapshot {first.snapshot}"
            if first
            else "publish a release with: stockroom build",
        )

    return OutsideTable(
        description="One row per product: nothing yet, no release was live then.",
        rows=lambda: 0,
        schema=refuse,
        load=refuse,
    )


def _table(releases: Sequence[Release]) -> pa.Table:
    return pa.Table.from_pylist([asdict(release) for release in releases], schema=RELEASES)
