"""What is published, as SQL tables: the live release's vectors and the releases themselves, read from Lance when asked for."""

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from warehouse.home import Home
from warehouse.outside import OutsideTable
from warehouse.releases import SCHEMA as RELEASES
from warehouse.vectors import COLUMNS


def published_tables(home: Home) -> dict[str, OutsideTable]:
    """Return `vectors.products` and `vectors.releases` for `inspection.query`; without a release, only the latter."""
    tables = {
        "vectors.releases": OutsideTable(
            description="One row per release; the highest number is live.",
            rows=lambda: len(home.releases.all()),
            schema=lambda: RELEASES,
            load=lambda columns: _releases(home).select(list(columns)),
        )
    }
    live = home.releases.live()
    if live is not None:

        def load(columns: Sequence[str]) -> pa.Table:
            return home.vectors.read(live.model_id, live.vector_version, columns or COLUMNS[:1]).select(list(columns))

        tables["vectors.products"] = OutsideTable(
            description="One row per product: its vector in the live release.",
            rows=lambda: home.vectors.count(live.model_id, live.vector_version),
            schema=lambda: home.vectors.schema(live.model_id, live.vector_version),
            load=load,
        )
    return tables


def _releases(home: Home) -> pa.Table:
    return pa.Table.from_pylist([asdict(release) for release in home.releases.all()], schema=RELEASES)
