from pathlib import Path

import duckdb
import polars as pl

from warehouse.lake import quarantine
from warehouse.lake.lake import Lake


def violations(*rows: tuple[str, str, str], input_hash: str | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"key": pl.String, "rule": pl.String, "row": pl.String}, orient="row")
    return frame if input_hash is None else frame.with_columns(input_hash=pl.lit(input_hash))


def quarantined(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str]]:
    return connection.sql('SELECT "table", key, rule, row FROM quarantine.rows ORDER BY ALL').fetchall()


def test_keeps_every_violation_with_its_row(connection: duckdb.DuckDBPyConnection) -> None:
    rows = violations(
        ("a", "title_missing", '{"title":null}'), ("a", "id_empty", '{"title":null}'), ("b", "title_missing", "{}")
    )
    assert quarantine.replace(connection, "shop.mugs", rows).counts == {"inserted": 3, "updated": 0, "deleted": 0}
    assert quarantined(connection) == [
        ("shop.mugs", "a", "id_empty", '{"title":null}'),
        ("shop.mugs", "a", "title_missing", '{"title":null}'),
        ("shop.mugs", "b", "title_missing", "{}"),
    ]
    assert quarantine.replace(connection, "shop.mugs", rows.reverse()).is_empty


def test_equal_rows_are_kept_as_often_as_they_came(connection: duckdb.DuckDBPyConnection) -> None:
    same = ("a", "duplicate_key", "{}")
    quarantine.replace(connection, "shop.mugs", violations(same, same, same))
    assert len(quarantined(connection)) == 3
    change = quarantine.replace(connection, "shop.mugs", violations(same))
    assert change.counts == {"inserted": 0, "updated": 0, "deleted": 2}


def test_each_table_has_its_own_part(connection: duckdb.DuckDBPyConnection) -> None:
    quarantine.replace(connection, "shop.mugs", violations(("a", "r", "{}")))
    quarantine.replace(connection, "shop.plates", violations(("a", "r", "{}")))
    quarantine.replace(connection, "shop.mugs", violations())
    assert quarantined(connection) == [("shop.plates", "a", "r", "{}")]


def test_only_what_is_stale_gives_way(connection: duckdb.DuckDBPyConnection) -> None:
    quarantine.replace(connection, "shop.mugs", violations(("a", "r", "{}"), ("b", "r", "{}"), input_hash="1"))
    keys = pl.DataFrame({"key": ["a", "c"]})
    quarantine.replace(connection, "shop.mugs", violations(("c", "r", "{}"), input_hash="2"), keys)
    assert [key for _, key, _, _ in quarantined(connection)] == ["b", "c"]
    assert set(quarantine.hashes(connection, "shop.mugs").rows()) == {("b", "1"), ("c", "2")}
    assert quarantine.hashes(connection, "shop.plates").is_empty()


def test_the_same_violation_of_a_changed_row_is_kept_with_its_new_hash(connection: duckdb.DuckDBPyConnection) -> None:
    quarantine.replace(connection, "shop.mugs", violations(("a", "r", "{}"), input_hash="1"))
    change = quarantine.replace(
        connection, "shop.mugs", violations(("a", "r", "{}"), input_hash="2"), pl.DataFrame({"key": ["a"]})
    )
    assert change.counts == {"inserted": 0, "updated": 1, "deleted": 0}
    assert quarantine.hashes(connection, "shop.mugs").rows() == [("a", "2")]


def test_counts_by_table_and_rule_with_the_first_keys(connection: duckdb.DuckDBPyConnection) -> None:
    quarantine.replace(connection, "shop.mugs", violations(("a", "r", "{}"), ("b", "r", "{}"), ("b", "s", "{}")))
    quarantine.replace(connection, "shop.plates", violations(("a", "r", "{}")))
    assert quarantine.counts(connection).rows() == [
        ("shop.mugs", "r", 2, ["a", "b"]),
        ("shop.mugs", "s", 1, ["b"]),
        ("shop.plates", "r", 1, ["a"]),
    ]


def test_rows_that_came_between_two_snapshots_are_counted(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS shop")
    empty = lake.snapshot()
    with lake.writing() as connection:
        quarantine.replace(connection, "shop.mugs", violations(("a", "r", "{}"), ("b", "r", "{}")))
    first = lake.snapshot()
    with lake.writing() as connection:
        quarantine.replace(connection, "shop.mugs", violations(("b", "r", "{}"), ("c", "r", "{}"), ("c", "s", "{}")))
    last = lake.snapshot()
    assert quarantine.added(lake, first, last).rows() == [("shop.mugs", "r", 1, ["c"]), ("shop.mugs", "s", 1, ["c"])]
    assert quarantine.added(lake, empty, first).rows() == [("shop.mugs", "r", 2, ["a", "b"])]
    assert quarantine.added(lake, last, last).is_empty()
