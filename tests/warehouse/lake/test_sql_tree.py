"""DuckDB's parser returns the places of the tables in a query, and the digest ignores formatting."""

import pytest

from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.lake.sql_tree import restrict, sql_digest, tables_read

QUERY = """
-- staging.products, リットル
with words as (select title, 'from staging.products' as text from staging.products /* staging.products */)
select words.title, b.title from words JOIN Staging.products as b on true where b.title in (from raw.other)
"""


@pytest.fixture
def connection():
    with connect(memory_gb=1.0, threads=1) as connection:
        connection.execute("CREATE SCHEMA staging; CREATE SCHEMA raw")
        connection.execute(
            "CREATE TABLE staging.products AS SELECT 'A' AS product_id, 'socks' AS title UNION SELECT 'B', 'shoes'"
        )
        connection.execute("CREATE TABLE raw.other AS SELECT 'socks' AS title UNION SELECT 'shoes'")
        yield connection


def test_only_tables_are_read_whatever_comments_and_texts_name():
    assert tables_read(QUERY) == {"staging.products", "Staging.products", "raw.other"}


def test_a_query_reads_the_wanted_rows_of_a_table_wherever_it_names_it(connection):
    query = QUERY.replace("Staging", "staging")
    narrow = restrict(connection, query, {"staging.products": "product_id = 'A'"})
    assert connection.sql(narrow).fetchall() == [("socks", "socks")]
    assert "'from staging.products'" in narrow


def test_a_condition_may_ask_the_rows_of_a_table_before_it(connection):
    conditions = {
        "staging.products": "product_id = 'B'",
        "raw.other": 'title IN (SELECT title FROM temp."staging.products")',
    }
    narrow = restrict(connection, "select o.title from staging.products join raw.other as o on true", conditions)
    assert connection.sql(narrow).fetchall() == [("shoes",)]


def test_a_table_that_the_query_does_not_read_is_refused(connection):
    with pytest.raises(WarehouseError, match=r"does not read raw\.products"):
        restrict(connection, QUERY, {"raw.products": "true"})


def test_comments_and_line_breaks_do_not_count():
    assert sql_digest("select a -- the a\nfrom t.b") == sql_digest("SELECT   a from t.b /* x */")
    assert len({sql_digest(text) for text in ("select a from t.b", "select b from t.b", "select a from t.c")}) == 3


def test_what_is_no_query_is_refused():
    with pytest.raises(WarehouseError, match="cannot be parsed"):
        tables_read("selec a")
