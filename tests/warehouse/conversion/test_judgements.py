import hashlib
import math
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.contracts.registry import CONTRACTS
from warehouse.conversion.judgements import convert_judgements
from warehouse.declaration.source import Labels, Source
from warehouse.errors import WarehouseError

PLAIN = "query product_id label"
STEPS = "ICSE"
COMBINATIONS: dict[str, Callable[[list[str]], str]] = {
    "refuse": lambda labels: labels[0],
    "first": lambda labels: labels[0],
    "best": lambda labels: max(labels, key=STEPS.index),
    "worst": lambda labels: min(labels, key=STEPS.index),
    "majority": lambda labels: max(STEPS, key=lambda label: (labels.count(label), -STEPS.index(label))),
    "mean": lambda labels: STEPS[math.ceil(Fraction(sum(map(STEPS.index, labels)), len(labels)) - Fraction(1, 2))],
}


class Converter:
    """Convert rows by a rule, and show the outcome in short."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fill: Callable, path: Path) -> None:
        self._connection, self._fill, self._path = connection, fill, path

    def __call__(self, columns: str, *rows: tuple[str | None, ...], **rule: object) -> pl.DataFrame:
        source = Source(
            kind="judgements", files=("log.csv",), columns=self._fill(columns, rows), labels=Labels.model_validate(rule)
        )
        converted = convert_judgements(
            self._connection, source, "rows", self._path, now=datetime(2030, 1, 1, tzinfo=UTC)
        )
        self.problems = [(row, column, value, rule) for _, row, column, value, rule in converted.problems.rows()]
        self.notes = converted.notes
        return pl.read_parquet(converted.path)

    def labels(self, columns: str, *rows: tuple[str | None, ...], **rule: object) -> dict[str, str]:
        """Return the label of each product."""
        return dict(self(columns, *rows, **rule).select("product_id", "esci_label").rows())


@pytest.fixture
def convert(connection: duckdb.DuckDBPyConnection, fill: Callable, tmp_path: Path) -> Converter:
    return Converter(connection, fill, tmp_path / "judgements.parquet")


def test_the_file_has_the_columns_and_types_of_the_raw_table(convert: Converter) -> None:
    contract = CONTRACTS["raw.judgements"]
    frame = convert(PLAIN, ("red shoes", "p1", "E"))
    assert frame.schema == {name: column.dtype for name, column in contract.columns.items() if name != contract.key}
    row = frame.row(0, named=True)
    assert (row["query"], row["product_locale"], row["esci_label"]) == ("red shoes", "us", "E")
    assert (row["small_version"], row["large_version"], row["event_time"], row["context_key"]) == (1, 1, None, None)


def test_declared_versions_are_kept_and_one_that_is_no_whole_number_is_refused(convert: Converter) -> None:
    columns = f"{PLAIN} small_version large_version"
    frame = convert(columns, ("a", "p1", "E", "0", "1"), ("a", "p2", "E", "some", "1"), ("a", "p3", "E", "1", None))
    assert frame.select("product_id", "small_version", "large_version").rows() == [("p1", 0, 1)]
    assert convert.problems == [
        (1, "small_version", "some", "small_version_wrong_type"),
        (2, "large_version", None, "large_version_wrong_type"),
    ]


def test_nothing_stays_in_the_database(convert: Converter, connection: duckdb.DuckDBPyConnection) -> None:
    convert(PLAIN, ("a", "p1", "E"))
    with pytest.raises(WarehouseError):
        convert(PLAIN, ("a", "p1", "great"))
    assert connection.execute("SHOW TABLES").fetchall() == [("rows",)]


def test_spellings_are_compared_without_case_and_blanks(convert: Converter) -> None:
    values = {"E": ["Perfect Match", "yes"], "I": ["no"]}
    found = convert.labels(
        PLAIN, ("a", "p1", " perfectMATCH"), ("a", "p2", "YES "), ("a", "p3", "no"), ("a", "p4", "E"), values=values
    )
    assert found == {"p1": "E", "p2": "E", "p3": "I"}
    assert convert.problems == [(3, "label", "E", "unknown_label")]
    assert convert.labels(PLAIN, ("a", "p1", "exact"), ("a", "p2", "c")) == {"p1": "E", "p2": "C"}


def test_a_grade_gets_the_label_of_the_highest_threshold_that_it_reaches(convert: Converter) -> None:
    rows = [("a", f"p{at}", grade) for at, grade in enumerate(("3", "2.5", "2", "1.99", " -1 "))]
    found = convert.labels(PLAIN, *rows, thresholds={"E": 2.5, "S": 2})
    assert found == {"p0": "E", "p1": "E", "p2": "S", "p3": "I", "p4": "I"}


@pytest.mark.parametrize("grade", ["3,0", "2024-03-04", "nan", "inf", "1_000", "good", "1e400", "9" * 30])
def test_a_grade_that_is_no_number_is_a_problem(convert: Converter, grade: str) -> None:
    assert convert.labels(PLAIN, ("a", "p1", "3"), ("a", "p2", grade), thresholds={"E": 3}) == {"p1": "E"}
    assert convert.problems == [(1, "label", grade, "label_wrong_type")]


def test_thresholds_that_leave_a_label_empty_are_refused_with_the_grades(convert: Converter) -> None:
    rows = [("a", f"p{at}", grade) for at, grade in enumerate("011122")]
    with pytest.raises(WarehouseError) as refused:
        convert(PLAIN, *rows, thresholds={"E": 3, "S": 2})
    assert refused.value.message == (
        "log.csv: no judgement is Exact by the threshold E = 3; the grades are 2 (2 rows), 1 (3 rows), 0 (1 row)"
    )
    assert refused.value.hint.endswith("labels.thresholds = { E = 2, S = 1 }")
    many = [("a", f"p{at}", str(at)) for at in range(100)]
    with pytest.raises(
        WarehouseError, match=r"Substitute by the threshold S = 99\.5; the grades are least 0, quartiles"
    ):
        convert(PLAIN, *many, ("a", "q", "120"), thresholds={"E": 100, "S": 99.5})


def test_labels_that_are_all_unknown_are_refused_with_a_rule_to_begin_with(convert: Converter) -> None:
    with pytest.raises(WarehouseError, match=r"'good' \(2 rows\), 'bad' \(1 row\)\n.*values = { E = \[\"good\"\] }"):
        convert(PLAIN, ("a", "p1", "good"), ("a", "p2", "bad"), ("a", "p3", "good"))
    with pytest.raises(WarehouseError, match=r"thresholds = { E = 2, S = 1 }"):
        convert(PLAIN, ("a", "p1", "2"), ("a", "p2", "1"), ("a", "p3", "0"))
    with pytest.raises(WarehouseError, match="no label is a number, as thresholds need"):
        convert(PLAIN, ("a", "p1", "good"), thresholds={"E": 1})


def test_every_problem_of_a_row_is_told_and_the_row_left_out(convert: Converter) -> None:
    columns = "query product_id label query_id example_id split event_time"
    frame = convert(
        columns,
        ("a", "p1", "E", "1", "1", "dev", "2024-03-04"),
        (" ", None, "?", "7.0", "", "some", "04/03/2024"),
        ("a", "p2", "", None, "1.5", None, "2031-01-01"),
    )
    assert frame.select("product_id", "split").rows() == [("p1", "train")]
    assert convert.problems == [
        (1, "event_time", "04/03/2024", "event_time_wrong_type"),
        (1, "example_id", "", "example_id_missing"),
        (1, "label", "?", "unknown_label"),
        (1, "product_id", None, "product_id_missing"),
        (1, "query", " ", "query_blank"),
        (1, "query_id", "7.0", "query_id_wrong_type"),
        (1, "split", "some", "unknown_split"),
        (2, "event_time", "2031-01-01", "event_time_in_future"),
        (2, "example_id", "1.5", "example_id_wrong_type"),
        (2, "label", "", "label_missing"),
        (2, "query_id", None, "query_id_missing"),
        (2, "split", None, "unknown_split"),
    ]


def test_times_are_read_in_every_usual_form(convert: Converter) -> None:
    times = ["2024-03-04 10:00:00", "2024-03-04T12:00:00+02:00", "1709546400", "1709546400000", ""]
    frame = convert(f"{PLAIN} event_time", *((text, "p1", "E", text) for text in times if text), ("a", "p", "E", ""))
    assert set(frame["event_time"]) == {datetime(2024, 3, 4, 10, tzinfo=UTC), None}


def test_derived_ids_are_hashes_that_every_machine_computes_alike(convert: Converter) -> None:
    frame = convert(PLAIN, ("Red&nbsp;  Shoes", "p1", "E"), ("red shoes", "p2", "S"))
    (query_id,) = frame["query_id"].unique()
    assert query_id == number("us:red shoes")
    assert dict(frame.select("product_id", "example_id").rows()) == {
        product: number(f"us:{query_id}:{product}") for product in ("p1", "p2")
    }
    assert "query_id derived from query and locale" in convert.notes


def test_a_declared_id_is_taken_if_it_is_a_whole_number_and_hashed_if_it_is_text(convert: Converter) -> None:
    frame = convert(
        f"{PLAIN} query_id example_id",
        ("a", "p1", "E", "17", "-3"),
        ("b", "p1", "E", "q-17", "00123"),
        ("c", "p1", "E", "0", "0"),
    )
    assert dict(frame.select("query", "query_id").rows()) == {"a": 17, "b": number("q-17"), "c": 0}
    assert dict(frame.select("query", "example_id").rows()) == {"a": -3, "b": number("00123"), "c": 0}
    assert convert.notes[0] == "example_id hashed to a number where it is text: 1 id"


def test_a_fifth_of_the_queries_becomes_test_and_spellings_of_a_query_stay_together(convert: Converter) -> None:
    rows = [(text, f"p{at}", "E") for at in range(500) for text in (f"query {at}", f" QUERY  {at}")]
    frame = convert(PLAIN, *rows, combine="first")
    assert frame.group_by("query_id").agg(pl.col("split").n_unique())["split"].max() == 1
    test = frame.filter(pl.col("split") == "test")
    assert 75 <= test["query_id"].n_unique() <= 125
    assert f"split by hash of query and locale: 20 % test, here {test.height} of 500 queries" in convert.notes
    # what a build takes for validation, also by a hash, must not be empty among the others
    hashes = [int.from_bytes(hashlib.md5(f"us:query {at}".encode()).digest()[8:], "little") for at in range(500)]
    validation = {f"p{at}" for at, value in enumerate(hashes) if value % 100 < 15}
    assert len(validation & set(frame.filter(pl.col("split") == "train")["product_id"])) > 30


def test_a_given_split_has_the_usual_names(convert: Converter) -> None:
    names = {"Train": "train", "valid": "train", "VAL": "train", "dev": "train", "eval": "test", "test": "test"}
    frame = convert(f"{PLAIN} split", *((name, "p1", "E", name) for name in names))
    assert dict(frame.select("query", "split").rows()) == names


def test_further_judgements_of_a_pair_are_refused_unless_a_rule_combines_them(convert: Converter) -> None:
    rows = [("a", "p1", "S"), ("A ", "p1", "E"), ("a", "p1", "I")]
    assert convert.labels(PLAIN, *rows) == {"p1": "S"}
    assert convert.problems == [(1, "product_id", "p1", "duplicate_key"), (2, "product_id", "p1", "duplicate_key")]
    assert convert.labels(PLAIN, *rows, combine="best") == {"p1": "E"}
    assert convert.problems == []
    assert "2 further rows of the same query and product combined by best" in convert.notes


def test_the_same_query_in_two_locales_is_two_queries(convert: Converter) -> None:
    frame = convert(f"{PLAIN} locale", ("a", "p1", "E", "us"), ("a", "p1", "I", "es"))
    assert frame["query_id"].n_unique() == 2
    assert frame["product_locale"].to_list() == ["es", "us"]
    frame = convert(f"{PLAIN} locale", ("a", "p1", "E", " US "), ("a", "p2", "I", None))
    assert frame["query_id"].n_unique() == 1


def test_a_combined_judgement_has_the_newest_time_and_the_rest_of_the_first_row(convert: Converter) -> None:
    frame = convert(
        f"{PLAIN} event_time context_key",
        ("A", "p1", "I", "2024-01-02", " "),
        ("a", "p1", "E", "2024-01-05", "men"),
        ("a", "p1", "E", "2024-01-03", "women"),
        combine="majority",
    )
    assert frame.select("query", "esci_label", "event_time", "context_key").rows() == [
        ("A", "E", datetime(2024, 1, 5, tzinfo=UTC), None)
    ]


def test_grades_are_averaged_before_the_thresholds(convert: Converter) -> None:
    rows = [
        ("a", "p1", "0"),
        ("a", "p1", "5"),
        ("a", "p2", "4"),
        ("a", "p3", "0.1"),
        ("a", "p3", "0.2"),
        ("a", "p4", "0"),
    ]
    found = convert.labels(PLAIN, *rows, thresholds={"E": 4, "S": 2.5, "C": 0.15}, combine="mean")
    assert found == {"p1": "S", "p2": "E", "p3": "C", "p4": "I"}


@given(st.lists(st.lists(st.sampled_from(STEPS), min_size=1, max_size=7), min_size=20, max_size=40))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_combinations_follow_their_definitions(convert: Converter, pairs: list[list[str]]) -> None:
    rows = [("a", f"p{at}", label) for at, labels in enumerate(pairs) for label in labels]
    for rule, combine in COMBINATIONS.items():
        assert convert.labels(PLAIN, *rows, combine=rule) == {f"p{at}": combine(each) for at, each in enumerate(pairs)}


def test_the_file_does_not_depend_on_the_order_of_the_rows(convert: Converter) -> None:
    rows = [(f"q{at % 7}", f"p{at}", "ESCI"[at % 4]) for at in range(40)]
    assert convert(PLAIN, *rows).equals(convert(PLAIN, *reversed(rows)))


def test_a_file_without_rows_gives_a_file_without_rows(convert: Converter) -> None:
    assert convert(PLAIN).is_empty()
    assert convert(PLAIN, (None, None, None)).is_empty()
    assert [rule for *_, rule in convert.problems] == ["label_missing", "product_id_missing", "query_blank"]


def number(text: str) -> int:
    """Return the number that stands for a text: the last 8 bytes of its MD5, least first, in 53 bits, above zero."""
    return int.from_bytes(hashlib.md5(text.encode()).digest()[8:], "little") % (2**53 - 1) + 1
