"""The state of a table is what the lake says of it, as of the snapshot that a connection reads."""

from warehouse.lake import catalog, tables
from warehouse.lake.lake import Lake


def write(lake: Lake, statement: str) -> int:
    with lake.writing() as connection:
        connection.execute(statement)
    return lake.snapshot()


def test_rows_are_counted_whatever_was_done_to_them(lake: Lake) -> None:
    def counted() -> None:
        with lake.reading() as connection:
            counts = {name: tables.count(connection, name) for name in ("shop.mugs", "shop.cups")}
            assert catalog.row_counts(connection) == {
                "shop.cups": counts["shop.cups"],
                "shop.mugs": counts["shop.mugs"],
            }
            totals.append(counts["shop.mugs"])

    totals: list[int] = []
    with lake.writing() as connection:
        connection.execute(
            "CREATE SCHEMA shop; CREATE TABLE shop.mugs AS SELECT i, i % 7 AS kind FROM range(1000) AS r(i)"
        )
        connection.execute("CREATE TABLE shop.cups (i BIGINT)")
    counted()
    for change in (
        "DELETE FROM shop.mugs WHERE i < 10",
        "DELETE FROM shop.mugs WHERE i % 100 = 50",  # out of the same file once more
        "INSERT INTO shop.mugs SELECT i, 0 FROM range(2000, 2005) AS r(i)",
        "UPDATE shop.mugs SET kind = 9 WHERE kind = 3",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0.0)",
        "DELETE FROM shop.mugs WHERE i = 2001",
        "DELETE FROM shop.mugs",
    ):
        with lake.writing() as connection:
            connection.execute(change)
        counted()
    assert totals == [1000, 990, 980, 985, 985, 985, 985, 984, 0]


def test_a_table_counts_as_filled_once_it_had_a_row(lake: Lake) -> None:
    def filled() -> set[str]:
        with lake.reading() as connection:
            return catalog.ever_filled(connection)

    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA shop; CREATE TABLE shop.mugs (i BIGINT)")
    assert filled() == set()
    with lake.writing() as connection:
        connection.execute("INSERT INTO shop.mugs VALUES (1)")
        assert catalog.ever_filled(connection) == set()
    assert filled() == {"shop.mugs"}
    with lake.writing() as connection:
        connection.execute("DELETE FROM shop.mugs")
    assert filled() == {"shop.mugs"}


def test_the_data_version_changes_with_the_table_alone(lake: Lake) -> None:
    def version() -> str:
        with lake.reading() as connection:
            return catalog.state(connection).data_version("shop.mugs")

    write(lake, "CREATE SCHEMA shop; CREATE TABLE shop.mugs AS SELECT 1 AS i")
    first = version()
    write(lake, "CREATE TABLE shop.cups (i BIGINT)")
    assert version() == first
    write(lake, "INSERT INTO shop.mugs VALUES (2)")
    assert version() == f"2-{lake.snapshot()}"


def test_a_table_has_the_state_of_the_snapshot_that_is_read(lake: Lake) -> None:
    write(lake, "CREATE SCHEMA shop; CREATE TABLE shop.mugs AS FROM range(10) AS r(i)")
    made = lake.snapshot()
    removed = write(lake, "DELETE FROM shop.mugs WHERE i < 3")
    added = write(lake, "INSERT INTO shop.mugs FROM range(20, 25) AS r(i)")
    shaped = write(lake, "ALTER TABLE shop.mugs ADD COLUMN color VARCHAR")
    dropped = write(lake, "DROP TABLE shop.mugs")
    states = {}
    for snapshot in (made, removed, added, shaped, dropped):
        with lake.reading(snapshot) as connection:
            states[snapshot] = catalog.state(connection).tables.get("shop.mugs")
    assert states == {
        made: (10, made, made, True),
        removed: (7, removed, made, True),
        added: (12, added, made, True),
        shaped: (12, added, shaped, True),
        dropped: None,
    }


def test_both_lakes_of_a_comparison_have_their_own_states(lake: Lake) -> None:
    before = write(lake, "CREATE SCHEMA shop; CREATE TABLE shop.mugs AS FROM range(10) AS r(i)")
    after = write(lake, "INSERT INTO shop.mugs FROM range(5) AS r(i)")
    with lake.comparing(before, after) as connection:
        assert catalog.state(connection, "earlier").tables["shop.mugs"].rows == 10
        assert catalog.state(connection).tables["shop.mugs"].rows == 15
