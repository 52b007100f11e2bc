import hashlib
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dataframely as dy
import duckdb
import polars as pl
import pytest

from warehouse.contracts.contract import Contract, about, key_column
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import catalog, tables
from warehouse.lake.lake import Lake
from warehouse.lake.reconcile import plan


class Mug(dy.Schema):
    """One row per mug."""

    id = key_column("name of the mug")
    volume_ml = dy.Int64(nullable=True, metadata=about("what it holds"))
    is_red = dy.Bool(nullable=False, metadata=about("whether it is red"))
    made_at = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=about("when it was made"))


class MugWithMore(dy.Schema):
    """One row per mug, with a weight and no color."""

    id = key_column("name of the mug")
    volume_ml = dy.Int64(nullable=True, metadata=about("what it holds"))
    made_at = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=about("when it was made"))
    weight_g = dy.Float64(nullable=True, metadata=about("the mug's weight"))


class MugReworded(dy.Schema):
    """One row per mug, with another description."""

    id = key_column("name of the mug")
    volume_ml = dy.Int64(nullable=True, metadata=about("its volume in ml"))
    is_red = dy.Bool(nullable=False, metadata=about("whether it is red"))
    made_at = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC", metadata=about("when it was made"))


class MugRetyped(dy.Schema):
    """One row per mug, with its volume as text."""

    id = key_column("name of the mug")
    volume_ml = dy.String(nullable=True, metadata=about("what it holds"))


MUGS = Contract("shop.mugs", Mug)
NO_ROWS = pl.DataFrame(schema={"key": pl.String, "input_hash": pl.String})
MADE = datetime(2024, 1, 2, tzinfo=UTC)


def frame(**mugs: tuple[Any, ...]) -> pl.DataFrame:
    rows = [(name, *values) for name, values in mugs.items()]
    columns: dict[str, Any] = {
        "id": pl.String,
        "volume_ml": pl.Int64,
        "is_red": pl.Boolean,
        "made_at": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame(rows, schema=columns, orient="row")


TWO = frame(a=(250, True, MADE), b=(None, False, None))


def content(connection: duckdb.DuckDBPyConnection, table: str = "shop.mugs") -> list[tuple[Any, ...]]:
    return connection.sql(f"SELECT * EXCLUDE (input_hash) FROM {table} ORDER BY id").fetchall()


def test_a_table_is_made_from_its_contract_with_meanings(connection: duckdb.DuckDBPyConnection) -> None:
    tables.ensure(connection, MUGS)
    described = connection.sql(
        "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = 'mugs'"
    ).fetchall()
    assert set(described) == {
        ("id", "VARCHAR", "name of the mug"),
        ("volume_ml", "BIGINT", "what it holds"),
        ("is_red", "BOOLEAN", "whether it is red"),
        ("made_at", "TIMESTAMP WITH TIME ZONE", "when it was made"),
        ("input_hash", "VARCHAR", "hash of the inputs that the row was made from"),
    }
    assert connection.sql("SELECT comment FROM duckdb_tables() WHERE table_name = 'mugs'").fetchall() == [
        ("One row per mug.",)
    ]


def test_every_declared_table_can_be_made(lake: Lake) -> None:
    with lake.writing() as connection:
        for contract in CONTRACTS.values():
            tables.ensure(connection, contract)
    with lake.reading() as connection:
        assert catalog.row_counts(connection) == dict.fromkeys(sorted(CONTRACTS), 0)
        assert not catalog.ever_filled(connection)


def test_existing_tables_are_recognized(connection: duckdb.DuckDBPyConnection) -> None:
    assert not tables.exists(connection, "shop.mugs")
    tables.ensure(connection, MUGS)
    assert tables.exists(connection, "shop.mugs")
    assert not tables.exists(connection, "shop.plates")


def test_a_frame_is_reconciled_with_its_table(connection: duckdb.DuckDBPyConnection) -> None:
    assert tables.refresh_from(connection, MUGS, TWO).counts == {"inserted": 2, "updated": 0, "deleted": 0}
    assert content(connection) == [("a", 250, True, MADE), ("b", None, False, None)]
    assert tables.refresh_from(connection, MUGS, TWO).is_empty
    changed = frame(a=(300, True, MADE), c=(1, False, None))
    assert tables.refresh_from(connection, MUGS, changed).counts == {"inserted": 1, "updated": 1, "deleted": 1}
    assert content(connection) == [("a", 300, True, MADE), ("c", 1, False, None)]
    assert tables.count(connection, "shop.mugs") == 2


def test_only_the_rows_of_a_condition_are_reconciled(connection: duckdb.DuckDBPyConnection) -> None:
    tables.refresh_from(connection, MUGS, TWO)
    change = tables.refresh_from(connection, MUGS, frame(a=(1, True, None)), where="is_red")
    assert change.counts == {"inserted": 0, "updated": 1, "deleted": 0}
    assert content(connection) == [("a", 1, True, None), ("b", None, False, None)]


def test_writing_counts_what_happened_to_the_table(connection: duckdb.DuckDBPyConnection) -> None:
    tables.refresh_from(connection, MUGS, TWO)
    desired = pl.DataFrame({"key": ["a", "c", "d"], "input_hash": ["new", "new", "new"]})
    current = tables.hashes(connection, MUGS)
    change = plan(desired, current)
    accepted = frame(a=(9, True, None), c=(8, True, None)).with_columns(
        input_hash=pl.lit("new"), passing_through=pl.lit(1)
    )
    counts = tables.write(connection, MUGS, change, current, [accepted, accepted.clear()])
    assert counts == tables.Written(inserted=1, updated=1, deleted=1)
    assert content(connection) == [("a", 9, True, None), ("c", 8, True, None)]


def test_the_fingerprint_does_not_depend_on_order_or_on_the_number_of_writes(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    tables.refresh_from(connection, MUGS, TWO)
    at_once = tables.fingerprint(connection, MUGS)
    others = Contract("shop.others", Mug)
    tables.refresh_from(connection, others, TWO.tail(1))
    tables.refresh_from(connection, others, frame(x=(1, True, None)))
    tables.refresh_from(connection, others, TWO.reverse())
    assert tables.fingerprint(connection, others) == at_once
    assert at_once.startswith("2-")


def test_the_fingerprint_of_given_rows_is_what_it_always_was(connection: duckdb.DuckDBPyConnection) -> None:
    tables.ensure(connection, MUGS)
    assert tables.fingerprint(connection, MUGS) == f"0-{0:032x}"
    connection.execute("INSERT INTO shop.mugs (id, input_hash) VALUES ('a', '1'), ('b', '2')")
    expected = sum(int.from_bytes(hashlib.md5(row).digest(), "little") for row in (b"a 1", b"b 2"))
    assert tables.fingerprint(connection, MUGS) == f"2-{expected % 2**128:032x}"


@pytest.mark.parametrize(
    "other",
    [
        frame(a=(251, True, MADE), b=(None, False, None)),
        frame(a=(250, False, MADE), b=(None, False, None)),
        frame(a=(250, True, None), b=(None, False, None)),
        frame(a=(250, True, MADE), b=(0, False, None)),
        frame(a=(250, True, MADE), c=(None, False, None)),
        frame(b=(250, True, MADE), a=(None, False, None)),
        frame(a=(250, True, MADE)),
        frame(a=(250, True, MADE), b=(None, False, None), c=(None, False, None)),
    ],
)
def test_the_fingerprint_differs_when_any_value_differs(
    connection: duckdb.DuckDBPyConnection, other: pl.DataFrame
) -> None:
    tables.refresh_from(connection, MUGS, TWO)
    before = tables.fingerprint(connection, MUGS)
    tables.refresh_from(connection, MUGS, other)
    assert tables.fingerprint(connection, MUGS) != before


def test_a_table_follows_its_contract(lake: Lake) -> None:
    with lake.writing() as connection:
        tables.refresh_from(connection, MUGS, TWO)
    more = Contract("shop.mugs", MugWithMore)
    with lake.writing() as connection:
        wider = TWO.drop("is_red").with_columns(weight_g=pl.lit(300.5))
        change = tables.refresh_from(connection, more, wider)
    assert change.counts == {"inserted": 0, "updated": 2, "deleted": 0}
    with lake.reading() as connection:
        assert set(connection.sql("FROM shop.mugs").columns) == {"id", "volume_ml", "made_at", "weight_g", "input_hash"}
        assert connection.sql("SELECT id, volume_ml, weight_g FROM shop.mugs ORDER BY id").fetchall() == [
            ("a", 250, 300.5),
            ("b", None, 300.5),
        ]
    retyped = Contract("shop.mugs", MugRetyped)
    with lake.writing() as connection:
        tables.ensure(connection, retyped)
        assert tables.count(connection, "shop.mugs") == 0
        tables.refresh_from(connection, retyped, pl.DataFrame({"id": ["a"], "volume_ml": ["much"]}))
    with lake.reading() as connection:
        assert content(connection) == [("a", "much")]
    before = lake.snapshot()
    with lake.writing() as connection:
        tables.ensure(connection, retyped)
    assert lake.snapshot() == before


def test_a_new_meaning_reaches_the_table_and_changes_no_row(lake: Lake) -> None:
    with lake.writing() as connection:
        tables.refresh_from(connection, MUGS, TWO)
    reworded = Contract("shop.mugs", MugReworded)
    with lake.writing() as connection:
        assert not tables.refresh_from(connection, reworded, TWO).upsert.height
        tables.describe(connection, reworded)
    with lake.reading() as connection:
        commented = "SELECT comment FROM duckdb_columns() WHERE database_name = 'lake' AND column_name = 'volume_ml'"
        assert connection.sql(commented).fetchall() == [("its volume in ml",)]


def test_a_table_filled_from_nothing_keeps_the_order_of_its_source(lake: Lake) -> None:
    many = pl.DataFrame([(f"{row:05}", row, False, MADE) for row in range(5000)], schema=TWO.schema, orient="row")
    with lake.writing() as connection:
        tables.refresh_from(connection, MUGS, many)
    with lake.reading() as connection:
        assert [row for (row,) in connection.sql("SELECT id FROM shop.mugs").fetchall()] == many["id"].to_list()


def test_reads_the_sql_file_of_a_table() -> None:
    assert "from staging.products" in tables.sql("features.products")
    assert not tables.sql("features.products").endswith(";")


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory from Linux's /proc")
def test_written_batches_are_let_go_before_the_transaction_ends(lake: Lake) -> None:
    retyped = Contract("shop.mugs", MugRetyped)
    resident: list[float] = []

    def batches() -> Iterator[pl.DataFrame]:
        for number in range(30):
            resident.append(resident_mb())
            rows = [f"{number:04d}{row:04d}" * 250 for row in range(4000)]  # 8 MB of text
            yield pl.DataFrame({"id": rows, "volume_ml": rows, "input_hash": "1"}).with_columns(
                pl.col("id").str.head(8)
            )

    with lake.writing() as connection:
        tables.ensure(connection, retyped)
        tables.write(connection, retyped, plan(NO_ROWS, NO_ROWS), NO_ROWS, batches())
    assert resident[-1] - resident[10] < 80  # of the 152 MB written in between


def test_a_table_without_a_row_has_the_fingerprint_of_no_rows(connection: duckdb.DuckDBPyConnection) -> None:
    tables.refresh_from(connection, MUGS, TWO)
    assert tables.fingerprint(connection, MUGS) != f"0-{0:032x}"
    connection.execute("DELETE FROM shop.mugs")
    assert tables.fingerprint(connection, MUGS) == f"0-{0:032x}"
