from datetime import UTC, datetime

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history.table_diff import RowChange, Value, difference, written
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.lake.tables import Written

SOURCES = CONTRACTS["raw.sources"]


def put(lake: Lake, rows: dict[str, str]) -> int:
    """Fill raw.sources with these sources by key, and return the snapshot."""
    frame = pl.DataFrame(
        {"key": list(rows), "source": list(rows.values())}, schema={"key": pl.String, "source": pl.String}
    )
    with lake.writing() as connection:
        tables.refresh_from(connection, SOURCES, frame.with_columns(query_id=pl.col("key").cast(pl.Int64)))
    return lake.snapshot()


def run(lake: Lake, *statements: str) -> int:
    with lake.writing() as connection:
        for statement in statements:
            connection.execute(statement)
    return lake.snapshot()


def test_rows_are_added_removed_and_changed_by_key(lake: Lake) -> None:
    before = put(lake, {"1": "web", "2": "web", "3": "web"})
    after = put(lake, {"2": "shop", "3": "web", "4": "web"})
    diff = difference(lake, "raw.sources", before, after)
    assert (diff.added, diff.removed, diff.changed, diff.columns) == (1, 1, 1, {"source": 1})
    assert diff.rows == [
        RowChange("1", "removed", {"query_id": Value(1, None), "source": Value("web", None)}),
        RowChange("2", "changed", {"source": Value("web", "shop")}),
        RowChange("4", "added", {"query_id": Value(None, 4), "source": Value(None, "web")}),
    ]


def test_backwards_added_and_removed_change_places(lake: Lake) -> None:
    before, after = put(lake, {"1": "web"}), put(lake, {"1": "web", "2": "web"})
    assert difference(lake, "raw.sources", after, before).removed == 1


def test_a_rewritten_row_with_the_same_values_is_no_change(lake: Lake) -> None:
    before = put(lake, {"1": "web", "2": "web"})
    after = run(lake, "UPDATE raw.sources SET input_hash = 'by other rules'")
    assert difference(lake, "raw.sources", before, after).rows == []


def test_cleaned_rows_of_equal_content_are_no_change(built: Lake) -> None:
    before = built.snapshot()
    run(built, "UPDATE staging.products SET input_hash = concat('other', input_hash[-17:])")
    assert written(built, before) == {}


def test_only_as_many_rows_are_named_as_asked_for(lake: Lake) -> None:
    before, after = put(lake, {"1": "web"}), put(lake, {str(number): "shop" for number in range(1, 8)})
    diff = difference(lake, "raw.sources", before, after, limit=2)
    assert (diff.added, diff.changed, [row.key for row in diff.rows]) == (6, 1, ["1", "2"])
    assert difference(lake, "raw.sources", before, after, limit=0).rows == []


def test_a_column_on_one_side_only_is_named_and_compared_no_further(lake: Lake) -> None:
    before = put(lake, {"1": "web", "2": "web"})
    after = run(
        lake,
        "ALTER TABLE raw.sources DROP COLUMN query_id",
        "ALTER TABLE raw.sources ADD COLUMN weight INTEGER",
        "UPDATE raw.sources SET weight = 5, input_hash = 'new'",
        "UPDATE raw.sources SET source = 'shop' WHERE key = '2'",
    )
    diff = difference(lake, "raw.sources", before, after)
    assert (diff.columns_added, diff.columns_removed) == (["weight"], ["query_id"])
    assert diff.rows == [RowChange("2", "changed", {"source": Value("web", "shop")})]


def test_a_retyped_column_is_compared_as_text(lake: Lake) -> None:
    before = put(lake, {"1": "web"})
    after = run(
        lake,
        "CREATE TABLE raw.other AS SELECT key, query_id::VARCHAR query_id, 'shop' AS source, '' AS input_hash FROM raw.sources",
        "DROP TABLE raw.sources",
        "ALTER TABLE raw.other RENAME TO sources",
    )
    assert difference(lake, "raw.sources", before, after).columns == {"source": 1}


def test_a_table_that_one_side_does_not_have_is_added_whole(lake: Lake) -> None:
    before = run(lake, "CREATE SCHEMA raw")
    after = put(lake, {"1": "web", "2": "web"})
    assert difference(lake, "raw.sources", before, after).added == 2
    assert difference(lake, "raw.sources", after, before).removed == 2
    with pytest.raises(WarehouseError, match=r"neither snapshot .* has the table raw.sources"):
        difference(lake, "raw.sources", before, before)


def test_times_are_given_as_json_can_hold_them(lake: Lake) -> None:
    put(lake, {})
    before = lake.snapshot()
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    row = pl.DataFrame({"key": ["7"], "snapshot": [7], "run_id": ["r"], "ended_at": [noon], "made_by": ["code"]})
    with lake.writing() as connection:
        tables.refresh_from(connection, CONTRACTS["registry.snapshots"], row)
    diff = difference(lake, "registry.snapshots", before, lake.snapshot())
    assert diff.rows[0].columns["ended_at"] == Value(None, "2024-05-01T12:00:00+00:00")


def test_an_unknown_table_is_answered_with_near_names(lake: Lake) -> None:
    snapshot = put(lake, {"1": "web"})
    with pytest.raises(WarehouseError, match=r"the table staging\.product does not exist\n.*staging\.products"):
        difference(lake, "staging.product", snapshot, snapshot)
    with pytest.raises(WarehouseError, match=r"the table zzzz does not exist\n.*the tables are: raw\.files"):
        difference(lake, "zzzz", snapshot, snapshot)


def test_a_comparison_leaves_no_trace_in_the_next_connection(lake: Lake) -> None:
    before, after = put(lake, {"1": "web"}), put(lake, {"1": "shop"})
    assert [difference(lake, "raw.sources", before, after).changed for _ in range(2)] == [1, 1]
    with lake.reading() as connection:
        assert connection.execute(
            "SELECT count(*) FROM duckdb_databases() WHERE database_name = 'earlier'"
        ).fetchone() == (0,)


def test_a_row_that_came_and_went_is_no_change(lake: Lake) -> None:
    before, _ = put(lake, {"1": "web"}), put(lake, {"1": "shop", "2": "web"})
    put(lake, {"1": "web"})
    assert written(lake, before) == {}


def test_a_dropped_table_lost_its_rows(lake: Lake) -> None:
    before = put(lake, {"1": "web"})
    run(lake, "DROP TABLE raw.sources")
    assert written(lake, before) == {"raw.sources": Written(inserted=0, updated=0, deleted=1)}


def test_all_tables_that_changed_are_counted(lake: Lake) -> None:
    before, _ = put(lake, {"1": "web", "2": "web"}), put(lake, {"1": "shop", "3": "web"})
    assert written(lake, before) == {"raw.sources": Written(inserted=1, updated=1, deleted=1)}
    assert written(lake, before, without=("raw.sources",)) == {}
