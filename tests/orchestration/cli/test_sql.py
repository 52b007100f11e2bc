"""`stockroom sql` reaches every table of the lake, the vectors and the releases, and changes nothing."""

import json

import pytest

from orchestration.cli import output
from warehouse.contracts.registry import CONTRACTS


@pytest.fixture
def ask(stockroom, built):
    """Return what asks the built home and gives back rows."""

    def rows(query: str):
        answer = stockroom("sql", query, "--json", "--home", built.home)
        assert answer.status == 0, answer.err
        return json.loads(answer.out)

    return rows


def test_every_table_can_be_read(ask, built):
    row_counts = {row["table"]: row["rows"] for row in ask("SHOW TABLES")}
    assert set(row_counts) == {*CONTRACTS, "vectors.products", "vectors.releases"}
    counts = " UNION ALL ".join(f"SELECT '{table}' AS \"table\", count(*) AS rows FROM {table}" for table in row_counts)
    assert {row["table"]: row["rows"] for row in ask(counts)} == row_counts
    first = ", ".join(f'(SELECT t FROM {table} AS t LIMIT 1) AS "{table}"' for table in row_counts)
    (rows,) = ask(f"SELECT {first}")
    assert all(
        row for table, row in rows.items() if row_counts[table]
    )  # every column of every table can be written as JSON
    assert {table: rows for table, rows in row_counts.items() if table in CONTRACTS} == built.report["rows"]


def test_vectors_join_the_catalog_of_their_release(ask, built):
    (row,) = ask(
        "SELECT count(*) AS n, min(len(vector)) AS dim FROM vectors.products JOIN features.products USING (key)"
    )
    assert row == {"n": built.report["rows"]["features.products"], "dim": 384}
    (release,) = ask("SELECT release, kind, model_id, vector_version, snapshot FROM vectors.releases")
    assert release == {
        "release": 1,
        "kind": "model",
        "model_id": built.report["model"],
        "vector_version": built.report["vector_version"],
        "snapshot": built.report["snapshot"],
    }


def test_json_is_a_list_of_rows(ask):
    assert ask("SELECT 1 AS a, 'ü' AS b, NULL AS c UNION ALL SELECT 2, 'x', NULL ORDER BY a") == [
        {"a": 1, "b": "ü", "c": None},
        {"a": 2, "b": "x", "c": None},
    ]
    assert ask("SELECT * FROM staging.products WHERE false") == []


def test_people_see_a_table(stockroom, built):
    answer = stockroom("sql", "SELECT '[red]as it is[/red]' AS words, 7 AS n", "--home", built.home)
    assert answer.status == 0
    assert "[red]as it is[/red]" in answer.out
    assert "words" in answer.out


def test_the_list_of_tables_fits_the_terminal(stockroom, built, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)
    lines = stockroom("sql", "SHOW TABLES", "--home", built.home).out.splitlines()
    assert lines[0].split() == ["table", "rows", "description"]
    assert max(map(len, lines)) <= 80
    assert all(line.strip() for line in lines)  # one paragraph for each


def test_a_row_that_is_too_wide_is_a_record(stockroom, built, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)
    query = "SELECT * FROM staging.products ORDER BY key LIMIT 2"
    lines = stockroom("sql", query, "--home", built.home).out.splitlines()
    assert [line for line in lines if line.startswith("row ")] == ["row 1", "row 2"]
    assert lines[1].split()[0] == "key"
    assert max(map(len, lines)) <= 80


def test_an_answer_that_was_cut_says_so(stockroom, built, monkeypatch):
    monkeypatch.setenv("STOCKROOM_SQL__MAX_ROWS", "2")
    answer = stockroom("sql", "SELECT key FROM staging.products", "--json", "--home", built.home)
    assert len(json.loads(answer.out)) == 2
    assert "cut at 2 rows" in answer.err


@pytest.mark.parametrize(
    "query", ["DROP TABLE raw.products", "SELECT 1; SELECT 2", "SELECT * FROM raw.nothing", "SELEC 1"]
)
def test_what_is_refused_exits_with_1_in_one_line(stockroom, built, query):
    answer = stockroom("sql", query, "--home", built.home)
    assert answer.status == 1
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) == 1
