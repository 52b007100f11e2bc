from pathlib import Path

import polars as pl
import pytest

from warehouse.console.named_queries import named_queries
from warehouse.console.sql_console import query
from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.operations.release_views import published_tables
from warehouse.settings import SqlSettings, WarehouseSettings

NAMED = named_queries()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with all tables, without rows."""
    home = Home(tmp_path_factory.mktemp("home"), WarehouseSettings(threads=1))
    with home.lake.writing() as connection:
        for contract in CONTRACTS.values():
            tables.ensure(connection, contract)
    return home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    with home.lake.writing() as connection:
        for contract in CONTRACTS.values():
            tables.ensure(connection, contract)
    return home


def put(home: Home, table: str, rows: list[dict[str, object]]) -> None:
    """Add rows to a table; columns that a row lacks are null."""
    frame = pl.DataFrame(rows).with_columns(pl.lit("hash").alias(INPUT_HASH))
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    with home.lake.writing() as connection:
        connection.register("frame", frame)
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM frame")


def ask(home: Home, name: str) -> pl.DataFrame:
    return query(home.lake, NAMED[name].sql, SqlSettings(), extra=published_tables(home)).frame


def test_there_are_enough_of_them_and_each_says_what_it_answers() -> None:
    assert len(NAMED) >= 10
    for named in NAMED.values():
        assert named.answers.endswith(".")
        assert named.columns[0]


@pytest.mark.parametrize("name", NAMED)
def test_a_named_query_passes_the_sandbox_and_returns_the_columns_that_it_promises(empty: Home, name: str) -> None:
    assert tuple(ask(empty, name).columns) == NAMED[name].columns


def test_queries_without_exact_are_those_with_no_exact_judgement(home: Home) -> None:
    texts = [{"key": f"us:{n}", "query_id": n, "locale": "us", "query": f"q{n}", "split": "test"} for n in (1, 2)]
    put(home, "staging.queries", texts)
    judged = [("us:1", "E"), ("us:1", "I"), ("us:2", "I"), ("us:2", "S")]
    put(
        home,
        "staging.judgements",
        [{"key": str(place), "query_key": key, "label": label} for place, (key, label) in enumerate(judged)],
    )
    assert ask(home, "queries_without_exact").rows() == [("us", 2, "q2", "test", 2, "S")]


def test_coverage_is_that_of_the_newest_version(home: Home) -> None:
    history = [("1-a", 1), ("1-b", 2)]
    put(
        home,
        "monitoring.versions",
        [{"key": v, "table_name": "features.products", "number": n, "version": v} for v, n in history],
    )
    put(
        home,
        "monitoring.feature_stats",
        [
            {"table_name": "features.products", "version": version, "column_name": "brand_key", "null_share": share}
            for version, share in (("1-a", 0.5), ("1-b", 0.25))
        ],
    )
    assert ask(home, "feature_coverage")["coverage"].to_list() == [0.75]


def test_history_gives_each_checkpoint_the_version_that_it_saw(home: Home) -> None:
    put(home, "registry.snapshots", [{"key": str(n), "snapshot": n} for n in (5, 8, 11)])
    put(
        home,
        "monitoring.versions",
        [
            {"table_name": "features.products", "number": number, "version": version, "since_snapshot": since}
            for number, (version, since) in enumerate([("a", 3), ("b", 9), ("a", 11)])
        ],
    )
    put(
        home,
        "monitoring.feature_stats",
        [
            {"table_name": "features.products", "version": version, "column_name": "c", "locale": "all", "rows": rows}
            for version, rows in (("a", 10), ("b", 20))
        ],
    )
    assert ask(home, "feature_history").select("snapshot", "rows").rows() == [(5, 10), (8, 10), (11, 10)]


def test_the_way_from_a_vector_ends_at_the_file(home: Home) -> None:
    steps = [
        ("vectors.products", "vector", "features.products", "title_words"),
        ("features.products", "title_words", "staging.products", "title"),
        ("staging.products", "title", "products.parquet", "product_title"),
    ]
    columns = ("table_name", "column_name", "source_table", "source_column")
    put(home, "registry.lineage", [dict(zip(columns, step, strict=True)) for step in steps])
    way = "vectors.products.vector < features.products.title_words < staging.products.title < products.parquet.product_title"
    assert ask(home, "vector_lineage").rows() == [
        ("features.products.title_words", way, "products.parquet", "product_title")
    ]
    whole = ask(home, "lineage").filter(table_name="vectors.products")
    assert whole.rows() == [("vectors.products", "vector", "products.parquet", ["product_title"], 3)]
