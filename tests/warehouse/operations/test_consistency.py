"""Consistency counts the violations across stores."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from warehouse.home import Home
from warehouse.operations import consistency
from warehouse.settings import WarehouseSettings


@pytest.mark.parametrize(
    ("rows", "leaked"),
    [
        ("('us', 'mug', 'test'), ('us', 'cup', 'train')", 0),
        ("('us', 'mug', 'test'), ('us', 'mug', 'train')", 1),
        ("('us', 'mug', 'test'), ('us', 'MUG', 'validation'), ('us', 'Mug', 'train')", 1),
        ("('us', 'mug', 'test'), ('es', 'mug', 'train')", 0),
        ("('us', 'mug', 'train'), ('us', 'mug', 'validation')", 0),
        ("('us', 'mug', 'test'), ('us', 'mug', 'test')", 0),
    ],
)
def test_query_strings_on_both_sides_of_test_are_counted_by_locale(connection, rows, leaked):
    connection.execute("CREATE SCHEMA training")
    connection.execute(f"CREATE TABLE training.pairs AS SELECT * FROM (VALUES {rows}) AS rows(locale, query, split)")
    assert consistency.leaked_queries(connection) == leaked


def test_keys_of_vectors_are_compared_with_the_products_of_the_snapshot(tmp_path):
    home = Home(tmp_path / "home", WarehouseSettings(threads=1))
    with home.lake.writing() as connection:
        connection.execute("CREATE SCHEMA features")
        connection.execute(
            "CREATE TABLE features.products AS SELECT * FROM (VALUES ('us:P1'), ('us:P2'), ('es:P1')) AS rows(key)"
        )
    snapshot = home.lake.snapshot()
    with home.lake.writing() as connection:
        connection.execute("DELETE FROM features.products")  # later: of no matter to the release
    vectors = pl.DataFrame(
        {
            "key": ["us:P1", "jp:P9"],
            "product_id": ["P1", "P9"],
            "locale": ["us", "jp"],
            "title": ["Mug", "Cup"],
            "input_hash": ["a", "b"],
            "vector": pl.Series(np.eye(2, dtype=np.float32), dtype=pl.Array(pl.Float32, 2)),
        }
    )
    written = home.vectors.apply("products_m1", [vectors], [], 2)
    release = home.releases.publish(
        kind="model",
        model_id="m1",
        encoder_fingerprint="e1",
        vector_table="products_m1",
        vector_version=written.version,
        snapshot=snapshot,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    ).release
    assert consistency.key_differences(home, release) == (2, 1)


def test_changed_keys_are_enough_if_there_are_as_many_vectors_as_products(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lake.writing() as connection:
        connection.execute("CREATE SCHEMA features")
        connection.execute("CREATE TABLE features.products AS SELECT unnest(['us:A', 'us:B', 'us:C']) AS key")
    snapshot = home.lake.snapshot()
    stored = pl.DataFrame({"key": ["us:A", "us:B", "us:X"]})
    columns = {name: pl.lit("x") for name in ("product_id", "locale", "title", "input_hash")}
    rows = stored.with_columns(**columns, vector=pl.Series(np.eye(3, dtype=np.float32), dtype=pl.Array(pl.Float32, 3)))
    version = home.vectors.apply("products_m1", [rows], [], 3).version

    def differences(*keys: str) -> tuple[int, int]:
        return consistency.catalog_differences(
            home, "products_m1", version, snapshot, pl.DataFrame({"key": keys}, schema={"key": pl.String})
        )

    assert differences("us:A") == differences() == (0, 0)
    assert differences("us:A", "us:C") == (1, 0)
    assert differences("us:C", "us:X") == (1, 1)
    home.vectors.apply("products_m1", [rows.head(1).with_columns(key=pl.lit("us:Y"))], [], 3)
    version = home.vectors.version("products_m1")
    assert differences("us:A") == (1, 2)  # one vector too many: all keys are looked at
