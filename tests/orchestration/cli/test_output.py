"""What people read fits their terminal: facts, tables, and records where a table would not fit."""

import pytest

from orchestration.cli import output

ROWS = [["us", "1", "a tent"], ["us", "2", "a stove"]]


@pytest.fixture
def shown(monkeypatch, capsys):
    """Return what sets the terminal's width, calls a function, and returns the lines that it printed."""

    def show(width, function, *arguments, **options):
        monkeypatch.setattr(output.console, "_width", width)
        function(*arguments, **options)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


def test_rows_that_fit_are_a_table(shown):
    lines = shown(30, output.show_rows, ["locale", "rank", "title"], ROWS, numbers=["rank"])
    assert lines == [
        "locale  rank  title",
        "─────────────────────",
        "us         1  a tent",
        "us         2  a stove",
    ]


def test_rows_that_do_not_fit_are_records(shown):
    lines = shown(12, output.show_rows, ["locale", "rank", "title"], ROWS)
    assert lines[:5] == ["row 1", "locale  us", "rank    1", "title   a", "        tent"]
    assert "row 2" in lines
    assert max(map(len, lines)) <= 12


def test_the_widest_column_is_wrapped_to_a_few_lines_before_rows_become_records(shown):
    text = "word " * 12
    table = shown(40, output.show_rows, ["key", "text"], [["a", text]])
    assert table[0].split() == ["key", "text"]
    assert max(map(len, table)) <= 40
    assert len(table) == 4
    assert shown(40, output.show_rows, ["key", "text"], [["a", text * 9]])[0] == "row 1"


def test_long_headings_are_broken_before_rows_become_records(shown):
    names = ["first_exact_rank", "bm25_first_exact_rank"]
    lines = shown(20, output.show_rows, names, [["1", "2"]], numbers=names)
    assert [line.split() for line in lines[:4]] == [["bm25_"], ["first_", "first_"], ["exact_", "exact_"], ["rank"] * 2]
    assert lines[-1].split() == ["1", "2"]


def test_wide_characters_count_as_the_cells_that_they_take(shown):
    assert shown(20, output.show_rows, ["name", "title"], [["a", "テント" * 3]])[0] == "row 1"


def test_without_rows_the_columns_are_named(shown):
    assert shown(40, output.show_rows, ["key", "title"], [])[0] == "key  title"
    assert shown(8, output.show_rows, ["key", "title"], []) == ["no rows:", "key,", "title"]


@pytest.mark.parametrize("text", ["[red]as it is[/red]", "[/]"])
def test_brackets_are_no_markup(shown, text):
    assert text in shown(80, output.show_rows, ["text"], [[text]])
    assert shown(80, output.show_fact, "note", text) == [f"note         {text}"]
    assert text in shown(4, output.show_title, text)


def test_the_later_lines_of_a_fact_begin_below_its_first(shown):
    assert shown(40, output.show_fact, "gate", "passed: the new model finds more than the old one") == [
        "gate         passed: the new model finds",
        "             more than the old one",
    ]


def test_a_path_stays_whole(shown):
    path = "/a" * 60
    assert shown(40, output.show_fact, "kept", path) == [f"kept         {path}"]
