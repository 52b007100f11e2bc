"""Databases stay open between uses, and show nothing of an earlier use."""

from pathlib import Path

import duckdb
import pytest

from warehouse.lake.connections import _MAX_IDLE, Attachment, Databases
from warehouse.lake.lake import Lake, scalar


def named(number: int, threads: int = 1) -> Attachment:
    return Attachment((1.0, threads), str(number), number, True, None)


@pytest.fixture
def opened() -> list[duckdb.DuckDBPyConnection]:
    return []


def names(databases: Databases, attachment: Attachment, opened: list[duckdb.DuckDBPyConnection]) -> str:
    """Use a database with an empty attached database that has a schema of the attachment's name; return that name."""

    def create() -> duckdb.DuckDBPyConnection:
        opened.append(duckdb.connect())
        return opened[-1]

    def attach(database: duckdb.DuckDBPyConnection) -> None:
        database.execute(f"ATTACH ':memory:' AS lake; CREATE SCHEMA lake.of_{attachment.lake}")

    with databases.attached(attachment, create, attach) as connection:
        schemas = connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE schema_name LIKE 'of_%'"
        ).fetchall()
    ((name,),) = schemas
    return str(name)


def test_what_is_attached_is_used_again(opened: list[duckdb.DuckDBPyConnection]) -> None:
    databases = Databases()
    assert [names(databases, named(number), opened) for number in (1, 2, 1, 2)] == ["of_1", "of_2", "of_1", "of_2"]
    assert len(opened) == 2


def test_the_longest_unused_database_serves_another_lake(opened: list[duckdb.DuckDBPyConnection]) -> None:
    databases = Databases()
    attachments = [named(number) for number in range(_MAX_IDLE + 2)]
    assert [names(databases, each, opened) for each in attachments] == [f"of_{each.lake}" for each in attachments]
    assert len(opened) == _MAX_IDLE
    names(databases, named(99, threads=2), opened)  # of other settings: none of those can serve
    assert len(opened) == _MAX_IDLE + 1


def test_two_uses_at_once_have_a_database_each(lake: Lake) -> None:
    with lake.writing() as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS n")
    with lake.reading() as one, lake.reading() as other:
        one.execute("CREATE TEMP TABLE mine AS SELECT 2 AS n")
        assert scalar(other, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'mine'") == 0
    for _ in range(2):
        with lake.reading() as later:
            assert scalar(later, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'mine'") == 0
            assert scalar(later, "SELECT n FROM numbers") == 1


def test_a_database_that_failed_or_was_lent_sealed_is_not_used_again(opened: list[duckdb.DuckDBPyConnection]) -> None:
    databases, attachment = Databases(), named(1)

    def create() -> duckdb.DuckDBPyConnection:
        opened.append(duckdb.connect())
        return opened[-1]

    def attach(database: duckdb.DuckDBPyConnection) -> None:
        database.execute("ATTACH ':memory:' AS lake")

    with pytest.raises(KeyboardInterrupt), databases.attached(attachment, create, attach):
        raise KeyboardInterrupt
    with databases.attached(attachment, create, attach, is_sealed=True) as connection:
        connection.execute("SET lock_configuration = true")
    with databases.attached(attachment, create, attach):
        pass
    assert len(opened) == 3


def test_a_reader_sees_what_another_lake_of_the_same_place_wrote(lake: Lake, tmp_path: Path) -> None:
    again = Lake(lake.root, lake.settings)
    for number in range(3):
        with (lake, again)[number % 2].writing() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS numbers (n INTEGER)")
            connection.execute(f"ALTER TABLE numbers ADD COLUMN n{number} INTEGER")
            connection.execute("INSERT INTO numbers (n) VALUES (?)", [number])
        for each in (lake, again):
            with each.reading() as connection:
                assert scalar(connection, "SELECT count(*) FROM numbers") == number + 1
                assert len(connection.execute("FROM numbers").description) == number + 2
