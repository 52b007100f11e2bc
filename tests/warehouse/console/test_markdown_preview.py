"""Previews are valid Markdown tables for any content of a cell."""

import pytest

from warehouse.console.markdown_preview import preview


@pytest.fixture
def show(connection):
    def rows(values: str) -> list[str]:
        connection.execute(f"CREATE OR REPLACE TABLE lake.shown AS SELECT * FROM (VALUES {values}) AS rows(a, b)")
        return preview(connection, "lake.shown").splitlines()

    return rows


def test_names_rule_and_rows(show):
    assert show("(1, 'x'), (2, NULL)") == ["| a | b |", "| --- | --- |", "| 1 | x |", "| 2 |  |"]


def test_at_most_five_rows(show):
    assert len(show(", ".join(f"({n}, 'x')" for n in range(9)))) == 2 + 5


def test_an_empty_table_shows_its_columns(show, connection):
    show("(1, 'x')")
    connection.execute("DELETE FROM lake.shown")
    assert preview(connection, "lake.shown").splitlines() == ["| a | b |", "| --- | --- |"]


def test_bars_tags_and_line_breaks_stay_in_their_cell(show):
    assert show("('a|b', 'one' || chr(10) || 'two' || chr(13) || chr(10) || '<b>three')")[2:] == [
        "| a\\|b | one two &lt;b>three |"
    ]


def test_long_values_are_cut(show):
    (line,) = show("('x', repeat('ü', 100))")[2:]
    assert line == f"| x | {'ü' * 59}… |"
    (line,) = show("('x', repeat('y', 60))")[2:]
    assert line == f"| x | {'y' * 60} |"


def test_the_preview_shows_the_first_rows_written_since_a_snapshot(lake):
    with lake.writing() as connection:
        connection.execute("CREATE TABLE shown AS SELECT 1 AS a")
    since = lake.snapshot()
    with lake.writing() as connection:
        connection.execute("INSERT INTO shown VALUES (2)")
    with lake.reading() as connection:
        assert preview(connection, "shown", since).splitlines()[2:] == ["| 2 |"]
