from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pydantic import ValidationError

from warehouse.contracts.registry import CONTRACTS
from warehouse.conversion.clicks import convert_clicks
from warehouse.declaration.source import Clicks, Source
from warehouse.errors import WarehouseError

COUNTERS = "query product_id impressions clicks carts orders"
EVENTS = {"impressions": ["view"], "clicks": ["click"], "carts": ["add to cart"], "orders": ["purchase", "reorder"]}


class Converter:
    """Convert rows by a rule, and show the outcome in short."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fill: Callable, path: Path) -> None:
        self._connection, self._fill, self._path = connection, fill, path

    def __call__(
        self, columns: str, *rows: tuple[str | None, ...], known_products: str | None = None, **rule: object
    ) -> pl.DataFrame:
        source = Source(
            kind="clicks", files=("log.csv",), columns=self._fill(columns, rows), clicks=Clicks.model_validate(rule)
        )
        converted = convert_clicks(
            self._connection,
            source,
            "rows",
            self._path,
            known_products=known_products,
            now=datetime(2030, 1, 1, tzinfo=UTC),
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


def test_counters_are_added_up_and_labeled_by_the_rule(convert: Converter) -> None:
    frame = convert(
        COUNTERS,
        ("a", "ordered", "3", "1", "0", "1"),
        ("a", "carted", "3", "1", "1", "0"),
        ("A", "carted", "3", "1", "1", "0"),
        ("a", "clicked", "90", "1", "1", "0"),
        ("a", "shown", "9", "0", "", None),
        (" a", "shown", "1.0", "0", "0", "0"),
        ("a", "seldom", "9", "0", "0", "0"),
    )
    contract = CONTRACTS["raw.judgements"]
    assert frame.schema == {name: column.dtype for name, column in contract.columns.items() if name != contract.key}
    labels = dict(frame.select("product_id", "esci_label").rows())
    assert labels == {"ordered": "E", "carted": "E", "clicked": "S", "shown": "I"}
    assert frame["query_id"].n_unique() == 1
    note = "5 pairs of query and product counted: 2 Exact, 1 Substitute, 1 Irrelevant, 1 left out for too few events"
    assert note in convert.notes


def test_an_order_without_a_click_counts_as_a_click(convert: Converter) -> None:
    rows = [("a", "p1", "20", "0", "0", "1"), ("a", "p2", "1", "0", "0", "2")]
    assert convert.labels(COUNTERS, *rows, exact_orders=2) == {"p1": "S", "p2": "E"}


def test_clicks_alone_are_exact_only_where_the_rule_says_so(convert: Converter) -> None:
    rows = [("a", "p1", "5", "4", "0", "0"), ("a", "p2", "50", "4", "0", "0"), ("a", "p3", "1", "0", "0", "1")]
    assert convert.labels(COUNTERS, *rows) == {"p1": "S", "p2": "S", "p3": "E"}
    assert convert.labels(COUNTERS, *rows, exact_clicks=4) == {"p1": "E", "p2": "E", "p3": "E"}
    assert convert.labels(COUNTERS, *rows, exact_clicks=4, exact_rate=0.1) == {"p1": "E", "p2": "S", "p3": "E"}


def test_events_are_counted_by_their_declared_spellings(convert: Converter) -> None:
    events = ["view"] * 10 + ["Click", "ADD TO CART", "purchase", "scroll"]
    rows = [("a", f"p-{event}", event) for event in events] + [("a", "p-reorder", "re order"), ("a", "p-none", None)]
    found = convert.labels("query product_id event", *rows, events=EVENTS)
    assert found == {"p-view": "I", "p-Click": "S", "p-ADD TO CART": "S", "p-purchase": "E", "p-reorder": "E"}
    assert convert.problems == [(15, "event", None, "event_missing")]
    assert "1 row not counted, since clicks.events lacks scroll" in convert.notes


def test_a_counter_that_is_not_declared_counts_by_its_rule(convert: Converter) -> None:
    shown = [("a", "p1", "0")] * 10 + [("a", "p2", "true"), ("a", "p3", "false")]
    assert convert.labels("query product_id clicks", *shown, exact_clicks=1) == {"p1": "I", "p2": "E"}
    assert "every row counted as one impression, since no column of impressions is declared" in convert.notes
    clicked = [("a", "p1"), ("a", "p1"), ("a", "p2")]
    assert convert.labels("query product_id", *clicked, exact_clicks=2) == {"p1": "E", "p2": "S"}
    assert "every row counted as one click, since no counter and no event is declared" in convert.notes


@pytest.mark.parametrize(
    ("count", "rule"),
    [
        ("3,0", "wrong_type"),
        ("2024-03-04", "wrong_type"),
        ("1.5", "wrong_type"),
        ("many", "wrong_type"),
        ("-1", "negative"),
    ],
)
def test_a_count_that_is_no_count_is_a_problem(convert: Converter, count: str, rule: str) -> None:
    rows = [("a", "p1", "1", "1", "0", "1"), ("a", "p2", "1", count, "0", "1")]
    assert convert.labels(COUNTERS, *rows) == {"p1": "E"}
    assert convert.problems == [(1, "clicks", count, f"clicks_{rule}")]


def test_every_problem_of_a_row_is_told(convert: Converter) -> None:
    columns = "query product_id orders event_time"
    frame = convert(
        columns,
        ("a", "p1", "1", "2024-01-01"),
        ("", " ", "x", "yesterday"),
        ("a", "p1", "1", "2031-01-01"),
        ("a", "p1", "0", "2024-01-03"),
    )
    assert frame["event_time"].to_list() == [datetime(2024, 1, 3, tzinfo=UTC)]
    assert convert.problems == [
        (1, "event_time", "yesterday", "event_time_wrong_type"),
        (1, "orders", "x", "orders_wrong_type"),
        (1, "product_id", " ", "product_id_missing"),
        (1, "query", "", "query_blank"),
        (2, "event_time", "2031-01-01", "event_time_in_future"),
    ]


def test_the_query_is_written_as_most_of_its_rows_write_it(convert: Converter) -> None:
    frame = convert("query product_id orders", ("RED", "p1", "1"), ("red", "p2", "1"), ("red", "p3", "1"))
    assert frame["query"].to_list() == ["red", "red", "red"]


def test_products_that_the_catalog_does_not_know_are_left_out_and_told_once(
    convert: Converter, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("CREATE TABLE catalog AS SELECT 'us' AS product_locale, unnest(['p1', NULL]) AS product_id")
    rows = [("a", "p1", "1"), ("b", "p9", "1"), ("a", "p9", "1")]
    assert convert.labels("query product_id orders", *rows, known_products="catalog") == {"p1": "E"}
    assert convert.problems == [(1, "product_id", "p9", "unknown_product")]
    with pytest.raises(
        WarehouseError, match="the catalog has none of the products, such as us:p8, us:p9; it has us:p1"
    ):
        convert("query product_id orders", ("a", "p9", "1"), ("a", "p8", "1"), known_products="catalog")


def test_queries_without_an_exact_product_are_kept_and_counted(convert: Converter) -> None:
    frame = convert(COUNTERS, ("a", "p1", "1", "1", "0", "1"), ("b", "p1", "1", "1", "0", "0"))
    assert frame["query"].n_unique() == 2
    assert "1 query without an Exact product kept" in convert.notes


@pytest.mark.parametrize(
    ("counts", "rule", "hint"),
    [
        (("9", "5", "1", "0"), {}, "clicks.exact_carts = 1"),
        (("9", "5", "0", "1"), {"exact_orders": 2}, "clicks.exact_orders = 1"),
        (("9", "5", "0", "0"), {}, "clicks.exact_clicks = 2"),
        (("90", "5", "0", "1"), {"exact_rate": 0.5}, "clicks.exact_rate = 0.25"),
        (("90", "0", "0", "0"), {}, "declare the column with clicks, carts or orders, or take a log that has some"),
    ],
)
def test_a_rule_by_which_nothing_is_exact_is_refused_with_the_highest_counts(
    convert: Converter, counts: tuple[str, ...], rule: dict[str, float], hint: str
) -> None:
    with pytest.raises(WarehouseError) as refused:
        convert(COUNTERS, ("a", "p1", *counts), **rule)
    highest = ", ".join(f"{count} {name}" for count, name in zip(counts, COUNTERS.split()[2:], strict=True))
    assert refused.value.message.endswith(f"the highest counts of a pair are {highest}")
    assert refused.value.hint.endswith(hint)


def test_events_of_which_none_is_declared_are_refused(convert: Converter) -> None:
    rows = [("a", "p1", "SHOW"), ("a", "p1", "SHOW"), ("a", "p1", "TAP")]
    with pytest.raises(WarehouseError, match=r"has SHOW, TAP\n.*clicks\.events = { clicks = \[\"TAP\"\] }"):
        convert("query product_id event", *rows, events=EVENTS)


def test_a_source_has_events_or_counters_not_both() -> None:
    columns = {name: name for name in ("query", "product_id", "event", "orders")}
    with pytest.raises(ValidationError, match="declare event or orders, not both"):
        Source(kind="clicks", files=("a.csv",), columns=columns, clicks=Clicks.model_validate({"events": EVENTS}))


def test_an_empty_log_gives_no_judgement(convert: Converter) -> None:
    assert convert(COUNTERS).is_empty()
    assert convert("query product_id orders", ("", "p1", "1")).is_empty()
    assert [rule for *_, rule in convert.problems] == ["query_blank"]


def test_the_file_does_not_depend_on_the_order_of_the_rows(convert: Converter) -> None:
    rows = [(f"q{at % 7}", f"p{at % 11}", str(at % 3)) for at in range(80)]
    columns = "query product_id orders"
    assert convert(columns, *rows).equals(convert(columns, *reversed(rows)))
