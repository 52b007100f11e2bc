"""SQL reads the releases, and the vectors of exactly the live version."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from warehouse.console.sql_console import query
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import Checkpoint
from warehouse.home import Home
from warehouse.operations.release_views import published_tables, releases_at
from warehouse.settings import SqlSettings, WarehouseSettings
from warehouse.vectors.product_vectors import table_name

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home", WarehouseSettings(threads=1))
    with home.lake.writing() as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute("CREATE TABLE staging.products AS SELECT 'us:P1' AS key, 'Mug' AS title")
    return home


def _vectors(*products):
    return pl.DataFrame(
        {
            "key": [f"us:{product}" for product in products],
            "product_id": products,
            "locale": ["us"] * len(products),
            "title": ["Mug"] * len(products),
            "input_hash": ["a"] * len(products),
            "vector": pl.Series([[1.0, 0.0]] * len(products), dtype=pl.Array(pl.Float32, 2)),
        }
    )


def _publish(home, model, *products):
    version = home.vectors.apply(table_name(model), [_vectors(*products)], [], 2).version
    home.releases.publish(
        kind="model",
        model_id=model,
        encoder_fingerprint="e1",
        vector_table=table_name(model),
        vector_version=version,
        snapshot=home.lake.snapshot(),
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _ask(home, sql):
    return query(home.lake, sql, SqlSettings(), extra=published_tables(home)).frame


def test_before_the_first_release_there_are_no_vectors(home):
    assert set(published_tables(home)) == {"vectors.releases"}
    assert _ask(home, "SELECT count(*) FROM vectors.releases").item() == 0
    with pytest.raises(WarehouseError, match=r"vectors\.products"):
        _ask(home, "SELECT * FROM vectors.products")


def test_vectors_are_those_of_the_live_release(home):
    _publish(home, "m1", "P1")
    home.vectors.apply("products_m1", [_vectors("P2")], [], 2)  # written, not published
    assert _ask(home, "SELECT key, vector FROM vectors.products").rows() == [("us:P1", [1.0, 0.0])]
    assert _ask(home, "SELECT p.title FROM vectors.products JOIN staging.products AS p USING (key)").rows() == [
        ("Mug",)
    ]
    _publish(home, "m2", "P3", "P4")
    assert _ask(home, "SELECT key FROM vectors.products ORDER BY key")["key"].to_list() == ["us:P3", "us:P4"]


def test_releases_are_listed_with_all_their_columns(home):
    _publish(home, "m1", "P1")
    _publish(home, "m2", "P1")
    releases = _ask(home, "SELECT * FROM vectors.releases ORDER BY release")
    assert releases["release"].to_list() == [1, 2]
    assert releases["model_id"].to_list() == ["m1", "m2"]
    assert releases["published_at"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)] * 2
    assert _ask(home, "SELECT max(release) AS live FROM vectors.releases").item() == 2


def test_both_stand_among_the_tables_with_their_rows(home):
    _publish(home, "m1", "P1", "P2")
    row_counts = {row["table"]: row["rows"] for row in _ask(home, "SHOW TABLES").iter_rows(named=True)}
    assert row_counts == {"staging.products": 1, "vectors.products": 2, "vectors.releases": 1}


def test_counting_needs_no_vector(home):
    _publish(home, "m1", *(f"P{n}" for n in range(20)))
    assert _ask(home, "SELECT count(*) FROM vectors.products").item() == 20
    assert np.isclose(_ask(home, "SELECT sum(vector[1]) FROM vectors.products").item(), 20)


def point(snapshot: int, hour: int) -> Checkpoint:
    return Checkpoint(snapshot, f"run-{snapshot}", NOON + timedelta(hours=hour))


@pytest.fixture
def history(tmp_path: Path) -> Home:
    """Return a home with release 1 from snapshot 11, 2 from 20, 3 a rollback to 1, 4 from 30; each has one more product."""
    home = Home(tmp_path / "history", WarehouseSettings(threads=1))
    for place, (snapshot, hour) in enumerate([(11, 0), (20, 1), (30, 4)]):
        row = {"key": [f"us:P{place}"], "product_id": [f"P{place}"], "locale": ["us"], "title": ["t"]}
        rows = pl.DataFrame({**row, "vector": [[1.0, 0.0]], "input_hash": ["h"]})
        version = home.vectors.apply("products_m", [rows], [], 2)
        home.releases.publish(
            kind="model",
            model_id="m",
            encoder_fingerprint="e",
            vector_table="products_m",
            vector_version=version.version,
            snapshot=snapshot,
            published_at=NOON + timedelta(hours=hour),
        )
        if snapshot == 20:
            home.releases.roll_back(1, published_at=NOON + timedelta(hours=2))
    with home.lake.writing() as connection:
        connection.execute("CREATE SCHEMA raw")
    return home


def keys(history: Home, at: Checkpoint | None) -> set[str]:
    answer = query(history.lake, "SELECT key FROM vectors.products", SqlSettings(), extra=published_tables(history, at))
    return set(answer.frame["key"])


def test_releases_at_a_checkpoint_are_those_published_until_then(history: Home) -> None:
    assert [release.release for release in releases_at(history)] == [1, 2, 3, 4]
    assert [release.release for release in releases_at(history, point(11, 0))] == [1]
    assert [release.release for release in releases_at(history, point(20, 1))] == [1, 2]
    assert [release.release for release in releases_at(history, point(25, 3))] == [1, 2, 3]


def test_vectors_at_a_checkpoint_are_those_of_the_live_release(history: Home) -> None:
    assert keys(history, None) == {"us:P0", "us:P1", "us:P2"}
    assert keys(history, point(20, 1)) == {"us:P0", "us:P1"}
    assert keys(history, point(25, 3)) == {"us:P0"}


def test_before_the_first_release_vectors_are_refused_with_the_first_named(history: Home) -> None:
    with pytest.raises(WarehouseError, match=r"no release was live as of snapshot 5 (.|\n)*made from snapshot 11"):
        keys(history, point(5, -1))


def test_before_the_first_release_everything_else_can_be_asked(history: Home) -> None:
    extra = published_tables(history, point(5, -1))
    listing = query(history.lake, "SHOW TABLES", SqlSettings(), extra=extra).frame
    assert dict(listing.select("table", "rows").iter_rows())["vectors.products"] == 0
    assert (
        query(history.lake, "SELECT count(*) AS n FROM vectors.releases", SqlSettings(), extra=extra).frame["n"][0] == 0
    )


def test_before_any_release_the_vectors_of_a_checkpoint_are_refused(home):
    with pytest.raises(WarehouseError, match="publish a release with: stockroom build"):
        published_tables(home, point(5, 0))["vectors.products"].schema()
