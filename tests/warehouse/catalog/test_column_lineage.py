from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import polars as pl
import pytest

from warehouse.catalog import column_lineage
from warehouse.catalog.column_lineage import Step
from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.declaration.source import Source
from warehouse.ingest.sources import SOURCE_SPECS
from warehouse.lake import tables
from warehouse.transform import text_cleaning

BOUND = {"judged_at": "2022-06-14 00:00:00+00", "validation_percent": 20}
SQL_TABLES = [
    "staging.queries",
    "staging.judgements",
    "splits.queries",
    "fitted.vocabulary",
    "fitted.words",
    "features.products",
    "features.queries",
    "features.pairs",
    "training.pairs",
]
# What a query text says in these rows, the products have: so that each comparison of the two can change.
TIME = datetime(2024, 2, 3, tzinfo=UTC)
ROWS = {
    "raw.products": [
        ("us:A", "A", "us", "<b>Acme</b> mug 12 oz", "A mug.", "holds tea", "Acme", "red"),
        ("us:B", "B", "us", "Blue mug", "B mug.", "holds\ncoffee", "Bolt", "blue"),
        ("us:C", "C", "us", "Green mug 350 ml 9 cm pack of 2 $5", "C mug.", "holds milk", "Core", "green"),
        ("us:D", "D", "us", "Acme red mug 12 oz", "D mug.", "holds tea", None, None),
        ("us:E", "E", "us", "Cup", "A mug.", "holds tea", "Redline", "Acmeblue"),
    ],
    "raw.judgements": [
        ("us:1:A", 10, "acme red mug 12 oz", 1, "A", "us", "E", 1, 1, "train", TIME, "young"),
        ("us:1:B", 10, "Acme red mug", 1, "B", "us", "I", 0, 1, "test", None, None),
        ("us:1:C", 11, "a mug", 1, "C", "us", "I", 0, 1, "test", TIME, "old"),
        ("us:1:D", 11, "a mug", 1, "D", "us", "I", 0, 1, "test", None, None),
        ("us:1:E", 11, "a mug", 1, "E", "us", "I", 0, 1, "test", None, None),
        ("us:2:B", 12, "blue mug without bolt", 2, "B", "us", "S", 1, 1, "test", None, None),
        ("us:3:A", 13, "bolt", 3, "A", "us", "C", 0, 1, "train", TIME, None),
    ],
    "raw.sources": [("1", 1, "behavioral"), ("2", 2, "negations")],
}
# True, but not to be seen: a join's other side, an order of equals.
UNSEEN = {
    ("staging.queries", "key", "raw.sources", "query_id"),
    ("staging.queries", "query_id", "raw.sources", "query_id"),
    # a brand or color that the query names may stand in title, brand or color
    ("features.pairs", "brand_fit", "staging.products", "color"),
    # words and their weights are counted in one list
    *(
        ("features.pairs", name, "fitted.words", "weight")
        for name in ("query_length", "first_position", "title_share", "number_share", "matched_share")
    ),
    ("features.pairs", "color_fit", "staging.products", "brand"),
}
# Seen, but of a join and not of a value: without its other side the column is missing.
JOINED = {
    ("staging.queries", "source", "raw.sources", "query_id"),
    *(
        ("features.queries", name, "fitted.vocabulary", "value")
        for name in ("query_brand", "query_color", "has_brand", "has_color")
    ),
    *(
        ("features.pairs", name, *column)
        for name in ("text_score", "title_score", "body_score", "matched_weight", "title_weight", "body_weight")
        for column in (("staging.queries", "locale"), ("fitted.words", "locale"), ("fitted.words", "word"))
    ),
}
PERTURBED = {
    "VARCHAR": [
        "NULL",
        "'q'",
        "{0} || ' 7 zz'",
        "reverse({0})",
        "repeat('仮', 99)",
        "CASE WHEN {0} = 'train' THEN 'test' ELSE 'train' END",
    ],
    "BOOLEAN": ["NOT {0}"],
    "TIMESTAMP WITH TIME ZONE": ["{0} + INTERVAL 1 DAY"],
}
NUMBERS = ["-{0}", "{0} + 1000"]
# Of text in a form that the SQL files read.
PERTURBED_COLUMNS = {"amounts": ["''", "'weight_g=7'", "{0} || ' length_cm=7'"]}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Fill every table up to training.pairs from ROWS, with the SQL files and the cleaning of the lake."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, rows in ROWS.items():
            columns = ", ".join(f'"{name}"' for name in CONTRACTS[table].columns)
            values = ", ".join("(" + ", ".join("?" for _ in row) + ")" for row in rows)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.split('.')[0]}")
            connection.execute(
                f"CREATE TABLE {table} AS SELECT *, 'hash' AS {INPUT_HASH} FROM (VALUES {values}) AS t({columns})",
                [value for row in rows for value in row],
            )
        products = text_cleaning.clean_products(connection.sql("FROM raw.products").pl().lazy()).collect()
        connection.register("products", products)
        connection.execute("CREATE SCHEMA staging")
        connection.execute(f"CREATE TABLE staging.products AS SELECT *, 'hash' AS {INPUT_HASH} FROM products")
        for table in SQL_TABLES:
            answer = _answer(connection, table)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.split('.')[0]}")
            connection.execute(f"CREATE TABLE {table} AS SELECT *, 'hash' AS {INPUT_HASH} FROM answer")
            assert answer.height
        yield connection


@pytest.mark.parametrize("table", SQL_TABLES)
def test_the_lineage_of_sql_is_what_perturbed_sources_change(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    declared = {step[:4] for step in column_lineage.steps(table) if step.made_by != "reconcile"}
    sources = {step.source_table for step in column_lineage.steps(table)} - {table}
    before = _answer(connection, table)
    observed = set()
    for source in sources:
        kinds = connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {source})").fetchall()
        connection.execute(f"CREATE TABLE kept AS FROM {source}")
        for column, kind in kinds:
            for expression in PERTURBED_COLUMNS.get(column, PERTURBED.get(kind, NUMBERS)):
                changed = expression.format(f'"{column}"')
                connection.execute(
                    f'CREATE OR REPLACE TABLE {source} AS SELECT * REPLACE (({changed})::{kind} AS "{column}") FROM kept'
                )
                after = _answer(connection, table)
                observed |= {(table, name, source, column) for name in _changed(before, after)}
        connection.execute(f"CREATE OR REPLACE TABLE {source} AS FROM kept")
        connection.execute("DROP TABLE kept")
    # A perturbed key makes other rows under other keys, where nothing can be compared.
    makes_key = {step[2:] for step in declared if step[1] == "key"}
    keys = {step for step in declared if step[1].endswith("key") or step[2:] in makes_key}
    assert observed - JOINED <= declared
    assert declared - observed <= UNSEEN | keys | _joined(declared)


def test_the_declared_sources_of_cleaned_products_are_what_perturbed_columns_change() -> None:
    contract = CONTRACTS["raw.products"]
    raw = pl.DataFrame(ROWS["raw.products"], list(contract.columns), orient="row")
    before = text_cleaning.clean_products(raw.lazy()).collect()
    for column in contract.columns:
        after = text_cleaning.clean_products(raw.with_columns(pl.col(column) + "x").lazy()).collect()
        changed = {name for name in before.columns if not before[name].equals(after[name])}
        assert changed == {name for name, sources in text_cleaning.PRODUCT_SOURCES.items() if column in sources}


def test_every_column_of_data_leads_to_a_column_of_a_file() -> None:
    vector = column_lineage.vector_steps(CONTRACTS["features.products"].tower_columns("numeric"), ["title"])
    every = [step for table in CONTRACTS for step in column_lineage.steps(table)] + vector
    above: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for step in every:
        above.setdefault((step.table, step.column), set()).add((step.source_table, step.source_column))
    files = {source_spec.file_name for source_spec in SOURCE_SPECS}
    from_nowhere = {
        ("staging.judgements", "judged_at"),  # a setting
        ("training.pairs", "judged_at"),
        ("fitted.vocabulary", "kind"),  # words of the SQL file's own
    }
    for table in [*SQL_TABLES, "staging.products", *(source_spec.table for source_spec in SOURCE_SPECS)]:
        for column in CONTRACTS[table].columns:
            if (table, column) not in from_nowhere:
                assert _roots(above, (table, column)) & files
    assert {name for name, _ in above if name.startswith("vectors.")} == {"vectors.products"}
    assert _roots(above, ("vectors.products", "vector")) == {"shopping_queries_dataset_products.parquet"}


def test_declared_files_lead_to_the_columns_that_they_are_converted_into() -> None:
    products = Source(
        kind="products",
        files=("shop/*.csv",),
        columns={"product_id": "SKU", "title": ["Name", "Size"], "locale": {"constant": "us"}},
    )
    clicks = Source(kind="clicks", files=("log.csv",), columns={"query": "term", "product_id": "SKU", "clicks": "n"})
    steps = column_lineage.declared_steps([products, clicks])
    assert {(step.table, step.source_table, step.made_by) for step in steps} == {
        ("shopping_queries_dataset_products.parquet", "*.csv", "conversion"),
        ("shopping_queries_dataset_examples.parquet", "log.csv", "conversion"),
    }
    made_from: dict[str, list[str]] = {}
    for step in steps:
        made_from.setdefault(step.column, []).append(step.source_column)
    assert made_from == {
        "product_id": ["SKU", "SKU"],
        "product_title": ["Name", "Size"],
        "query": ["term"],
        "esci_label": ["n"],
        "query_id": ["term"],
        "example_id": ["term", "SKU"],
        "split": ["term"],
    }
    files = {spec.file_name: {*spec.columns} for spec in SOURCE_SPECS}
    assert all(step.column in files[step.table] for step in steps)


def test_a_step_is_one_row_whatever_the_order() -> None:
    steps = [Step("a.b", "c", "d.e", "f", "sql"), Step("a.a", "c", "d.e", "f", "sql")]
    frame = column_lineage.frame([*steps, *steps])
    assert frame["key"].to_list() == ["a.a.c < d.e.f", "a.b.c < d.e.f"]
    assert set(frame.columns) == set(CONTRACTS["registry.lineage"].columns)


def _answer(connection: duckdb.DuckDBPyConnection, table: str) -> pl.DataFrame:
    sql = tables.sql(table)
    rows = connection.execute(sql, {name: value for name, value in BOUND.items() if f"${name}" in sql} or None).pl()
    return text_cleaning.clean_queries(rows.lazy()).collect() if table == "staging.queries" else rows


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> set[str]:
    """Return the columns whose values differ for keys of both sides."""
    both = before.join(after, on="key", suffix="_after")
    return {name for name in before.columns if name != "key" and not both[name].equals(both[f"{name}_after"])}


def _joined(steps: set[tuple[str, str, str, str]]) -> set[tuple[str, str, str, str]]:
    """Return the steps from join columns: if such a column is perturbed, its rows disappear."""
    by = {"product_locale", "query_id", "product_id", "locale"}
    return {step for step in steps if step[3] in by}


def _roots(above: dict[tuple[str, str], set[tuple[str, str]]], column: tuple[str, str]) -> set[str]:
    if column not in above:
        return {column[0]}
    return {root for source in above[column] if source != column for root in _roots(above, source)}
