import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from warehouse.console.external_tables import OutsideTable
from warehouse.console.sql_console import lock, query
from warehouse.errors import WarehouseError
from warehouse.json_rows import json_rows
from warehouse.lake.lake import Lake
from warehouse.settings import SqlSettings, WarehouseSettings

SETTINGS = SqlSettings(max_rows=5, memory_gb=0.2, timeout_s=20.0)
VECTORS = pa.table({"key": ["us:A", "us:B"], "vector": pa.array([[1.0, 0.0], [0.0, 1.0]], pa.list_(pa.float32(), 2))})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("home") / "lake", WarehouseSettings(threads=1))
    with lake.writing() as connection:
        connection.execute("CREATE SCHEMA raw; CREATE SCHEMA features")
        connection.execute("CREATE TABLE raw.products AS FROM (VALUES ('us:A', 'red'), ('us:B', 'blue')) t(key, color)")
        connection.execute("COMMENT ON TABLE raw.products IS 'One row per product.'")
        connection.execute("CREATE TABLE features.products AS SELECT range AS rank FROM range(7)")
    with lake.writing() as connection:
        connection.execute("INSERT INTO raw.products VALUES ('us:C', 'green')")
    with lake.reading(is_sealed=True) as connection:  # the first reader leaves SQLite's own side files
        connection.execute("FROM raw.products")
    return lake


@pytest.fixture
def unchanged(lake: Lake) -> Iterator[None]:
    """Assert that a test changes no file, except for SQLite's `-shm` with the readers' locks and an empty `-wal`."""

    def digests() -> dict[Path, str]:
        files = [path for path in lake.root.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
        files = [path for path in files if path.stat().st_size or not path.name.endswith("-wal")]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = digests()
    yield
    assert digests() == before


@pytest.fixture(scope="module")
def outside() -> dict[str, OutsideTable]:
    return {
        "vectors.products": OutsideTable(
            "One row per vector.", rows=lambda: 2, schema=lambda: VECTORS.schema, load=VECTORS.select
        )
    }


def test_a_query_answers_with_a_frame(lake: Lake, unchanged: None) -> None:
    answer = query(lake, "SELECT color, count(*) AS n FROM raw.products GROUP BY color ORDER BY color;", SETTINGS)
    assert answer.frame.rows() == [("blue", 1), ("green", 1), ("red", 1)]
    assert not answer.truncated


def test_a_query_sees_the_lake_as_of_a_snapshot(lake: Lake) -> None:
    newest = query(lake, "SELECT count(*) FROM raw.products", SETTINGS)
    earlier = query(lake, "SELECT count(*) FROM raw.products", SETTINGS, snapshot=1)
    assert (newest.frame.item(), earlier.frame.item()) == (3, 2)


def test_rows_beyond_the_limit_are_cut_and_reported(lake: Lake) -> None:
    cut = query(lake, "FROM features.products ORDER BY rank DESC", SETTINGS)
    whole = query(lake, "FROM features.products ORDER BY rank DESC LIMIT 5", SETTINGS)
    assert (cut.frame["rank"].to_list(), cut.truncated) == ([6, 5, 4, 3, 2], True)
    assert (whole.frame["rank"].to_list(), whole.truncated) == ([6, 5, 4, 3, 2], False)


def test_a_query_beyond_the_time_limit_is_stopped(lake: Lake, unchanged: None) -> None:
    endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(WarehouseError, match=r"longer than 0.2 s\n.*sql.timeout_s"):
        query(lake, endless, SqlSettings(timeout_s=0.2))


def test_a_query_beyond_the_memory_limit_is_stopped_and_does_not_spill(lake: Lake, unchanged: None) -> None:
    with pytest.raises(WarehouseError, match=r"more than 0.02 GB of memory\n.*sql.memory_gb"):
        query(lake, "SELECT list(range) FROM range(100000000)", SqlSettings(memory_gb=0.02))


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{lake}/catalog.sqlite'",
        "COPY (SELECT 1) TO '{lake}/data/stray.parquet'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/data/stray.parquet'",
        "ATTACH '{lake}/stray.db'",
        "DELETE FROM raw.products",
        "FROM sqlite_scan('{lake}/catalog.sqlite', 'ducklake_snapshot')",
        "FROM '{lake}/data/raw/products/*.parquet'",
        "FROM __ducklake_metadata_lake.ducklake_snapshot",
        "FROM raw.product",
        "SELECT nothing FROM raw.products",
        "FROM raw.products WHERE key = ?",
    ],
)
def test_a_refused_or_wrong_query_says_so_in_one_line_and_changes_nothing(
    lake: Lake, unchanged: None, sql: str
) -> None:
    with pytest.raises(WarehouseError) as refused:
        query(lake, sql.format(lake=lake.root), SETTINGS)
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_an_unknown_column_is_told_its_neighbors(lake: Lake) -> None:
    with pytest.raises(WarehouseError, match=r'column "colour" not found.*Candidate bindings: "color"'):
        query(lake, "SELECT colour FROM raw.products", SETTINGS)


def test_the_connection_is_shut_even_for_what_the_rules_would_refuse(
    lake: Lake, unchanged: None, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    stray = pl.DataFrame({"a": [1]})
    with lake.reading(is_sealed=True) as connection:
        lock(connection, lake, SETTINGS)
        for sql, message in (
            (f"FROM read_csv('{tmp_path}/secret.csv')", "file system operations are disabled"),
            (f"COPY (SELECT 1) TO '{tmp_path}/stray.parquet'", "file system operations are disabled"),
            (f"COPY (SELECT 1) TO '{lake.catalog}'", "file system operations are disabled"),
            (f"ATTACH '{tmp_path}/stray.db'", "file system operations are disabled"),
            ("INSTALL httpfs", "file system operations are disabled"),
            ("LOAD httpfs", "Loading external extensions is disabled"),
            ("SET enable_external_access = true", "the configuration has been locked"),
            ("SET lock_configuration = false", "the configuration has been locked"),
            ("SET allowed_directories = ['/']", "the configuration has been locked"),
            ("FROM stray", "does not exist"),  # a frame of this test, by Python's name
            ("INSERT INTO lake.raw.products VALUES ('us:D', 'pink')", "read-only"),
            ("CREATE TABLE lake.raw.stray AS SELECT 1", "read-only"),
            ("DROP TABLE lake.raw.products", "read-only"),
        ):
            with connection.cursor() as cursor, pytest.raises(duckdb.Error, match=message):
                cursor.execute(sql)
    assert stray.height == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_an_empty_home_gets_a_hint_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="stockroom build"):
        query(Lake(tmp_path / "lake"), "SELECT 1", SETTINGS)


def test_a_relative_home_works(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lake.root.parent)
    assert query(Lake(Path("lake")), "SELECT count(*) FROM raw.products", SETTINGS).frame.item() == 3


@pytest.mark.parametrize("sql", ["EXPLAIN FROM raw.products", "EXPLAIN ANALYZE FROM raw.products"])
def test_explain_answers_with_the_plan(lake: Lake, sql: str) -> None:
    assert "Table: products" in query(lake, sql, SETTINGS).frame["explain_value"].item()


def test_describe_and_summarize_answer_with_a_row_for_each_column(lake: Lake) -> None:
    described = query(lake, "DESCRIBE raw.products", SETTINGS).frame
    summarized = query(lake, "SUMMARIZE raw.products", SETTINGS).frame
    assert described["column_name"].to_list() == summarized["column_name"].to_list() == ["key", "color"]


def test_show_tables_lists_every_table_with_its_meaning(lake: Lake, outside: dict[str, OutsideTable]) -> None:
    expected = [
        ("features.products", 7, None),
        ("raw.products", 3, "One row per product."),
        ("vectors.products", 2, "One row per vector."),
    ]
    assert query(lake, "show tables", SETTINGS, extra=outside).frame.rows() == expected
    then = [expected[0], ("raw.products", 2, "One row per product.")]
    assert query(lake, "show tables", SETTINGS, snapshot=1).frame.rows() == then


def test_outside_tables_join_those_of_the_lake(lake: Lake, unchanged: None, outside: dict[str, OutsideTable]) -> None:
    sql = "SELECT color, vector FROM raw.products JOIN vectors.products USING (key) ORDER BY key"
    assert query(lake, sql, SETTINGS, extra=outside).frame.rows() == [("red", [1.0, 0.0]), ("blue", [0.0, 1.0])]


def test_outside_tables_are_left_alone_by_other_queries(lake: Lake) -> None:
    def fail() -> pa.Schema:
        raise AssertionError("opened")

    untouched = {"vectors.products": OutsideTable("", rows=lambda: 0, schema=fail, load=VECTORS.select)}
    assert query(lake, "SELECT 1 AS one", SETTINGS, extra=untouched).frame.item() == 1
    with pytest.raises(WarehouseError, match=r"no table vectors\.releases"):
        query(lake, "FROM vectors.releases", SETTINGS, extra=untouched)


def test_an_outside_table_that_cannot_be_read_says_why(lake: Lake) -> None:
    def fail(_: Sequence[str]) -> pa.Table:
        raise WarehouseError("the vectors are gone", "build again")

    broken = {"vectors.products": OutsideTable("", rows=lambda: 0, schema=lambda: VECTORS.schema, load=fail)}
    with pytest.raises(WarehouseError, match=r"the vectors are gone\n  build again"):
        query(lake, "FROM vectors.products", SETTINGS, extra=broken)


def test_every_type_becomes_json(lake: Lake) -> None:
    sql = """
        SELECT 12345678901234567890123::HUGEINT AS huge, sum(2) AS total, 1.50::DECIMAL(9, 2) AS price,
            DATE '2020-01-02' AS day, TIME '03:04:05' AS hour, TIMESTAMP '2020-01-02 03:04:05.5' AS local_time,
            TIMESTAMPTZ '2020-01-02 03:04:05+01' AS instant, '2020-01-02 03:04:05'::TIMESTAMP_NS AS exact,
            INTERVAL 3 MONTH AS term, '\\xAB\\x01'::BLOB AS bytes, 'b'::ENUM('a', 'b') AS grade, '101'::BIT AS bits,
            '00000000-0000-0000-0000-000000000001'::UUID AS id, 'nan'::DOUBLE AS undefined, '-inf'::FLOAT AS endless,
            [1.5, 'inf'::DOUBLE] AS list, [0.5, 1]::FLOAT[2] AS vector,
            {'at': DATE '2020-01-02', 'by': ['\\x01'::BLOB]} AS nested,
            MAP {1: 'x'} AS pairs, [INTERVAL 1 DAY] AS terms, union_value(n := 1) AS either,
            '{"a":1}'::JSON AS document, NULL AS missing, true AS flag
    """
    (row,) = json_rows(query(lake, sql, SETTINGS).frame)
    assert row == {
        "huge": 12345678901234567890123,
        "total": 2,
        "price": 1.5,
        "day": "2020-01-02",
        "hour": "03:04:05",
        "local_time": "2020-01-02T03:04:05.500000",
        "instant": "2020-01-02T02:04:05+00:00",
        "exact": "2020-01-02T03:04:05",
        "term": "3 months",
        "bytes": "ab01",
        "grade": "b",
        "bits": "101",
        "id": "00000000-0000-0000-0000-000000000001",
        "undefined": None,
        "endless": None,
        "list": [1.5, None],
        "vector": [0.5, 1.0],
        "nested": {"at": "2020-01-02", "by": ["01"]},
        "pairs": {"1": "x"},
        "terms": "[1 day]",
        "either": "1",
        "document": '{"a":1}',
        "missing": None,
        "flag": True,
    }
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_columns_of_one_name_are_all_kept(lake: Lake) -> None:
    frame = query(lake, "SELECT 1 AS a, INTERVAL 1 DAY AS a", SETTINGS).frame
    assert frame.rows() == [(1, "1 day")]
    assert len(set(frame.columns)) == 2


@pytest.mark.parametrize("value", ["DATE 'infinity'", "TIMESTAMP 'infinity'", "TIMESTAMPTZ '20000-01-01'"])
def test_a_date_that_json_cannot_hold_is_named(lake: Lake, value: str) -> None:
    frame = query(lake, f"SELECT {value} AS far", SETTINGS).frame
    with pytest.raises(WarehouseError, match="the column far has a date outside the years 1 to 9999"):
        json_rows(frame)
