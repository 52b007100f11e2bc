"""What is published can be asked for in SQL, in exactly the live version."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.inspection import query
from warehouse.published import published_tables
from warehouse.settings import SqlSettings, WarehouseSettings


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
    version = home.vectors.apply(model, [_vectors(*products)], [], 2).version
    home.releases.publish(
        kind="model",
        model_id=model,
        encoder_fingerprint="e1",
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
    home.vectors.apply("m1", [_vectors("P2")], [], 2)  # written, not published
    assert _ask(home, "SELECT key, vector FROM vectors.products").rows() == [("us:P1", [1.0, 0.0])]
    assert _ask(home, "SELECT p.title FROM vectors.products JOIN staging.products AS p USING (key)").rows() == [
        ("Mug",)
    ]
    _publish(home, "m2", "P3", "P4")
    assert _ask(home, "SELECT key FROM vectors.products ORDER BY key")["key"].to_list() == ["us:P3", "us:P4"]


def test_releases_are_listed_with_all_their_columns(home):
    _publish(home, "m1", "P1")
    _publish(home, "m2", "P1")
    shown = _ask(home, "SELECT * FROM vectors.releases ORDER BY release")
    assert shown["release"].to_list() == [1, 2]
    assert shown["model_id"].to_list() == ["m1", "m2"]
    assert shown["published_at"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)] * 2
    assert _ask(home, "SELECT max(release) AS live FROM vectors.releases").item() == 2


def test_both_stand_among_the_tables_with_their_rows(home):
    _publish(home, "m1", "P1", "P2")
    shown = {row["table"]: row["rows"] for row in _ask(home, "SHOW TABLES").iter_rows(named=True)}
    assert shown == {"staging.products": 1, "vectors.products": 2, "vectors.releases": 1}


def test_counting_needs_no_vector(home):
    _publish(home, "m1", *(f"P{n}" for n in range(20)))
    assert _ask(home, "SELECT count(*) FROM vectors.products").item() == 20
    assert np.isclose(_ask(home, "SELECT sum(vector[1]) FROM vectors.products").item(), 20)
