import pytest

from warehouse.console.statement_guard import REFUSED_FUNCTIONS, TABLE_FUNCTIONS, check_tables, parse
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect

READS = [
    "SELECT 1",
    "select 1; -- done",
    "FROM features.products",
    "TABLE features.products",
    "VALUES (1), (2)",
    "(SELECT 1)",
    "WITH a AS (SELECT 1) FROM a",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) FROM n",
    "SELECT * FROM range(3), LATERAL (SELECT unnest([range]))",
    "SELECT unnest([1, 2]), list_transform([1], lambda x: x + 1), [y FOR y IN [1] IF y > 0]",
    "FROM raw.products AT (VERSION => 3)",
    "FROM lake.snapshots()",
    "FROM ducklake_table_info('lake')",
    "FROM duckdb_columns() WHERE table_name = 'products'",
    "FROM information_schema.tables",
    "PIVOT features.products ON brand IN ('a', 'b') USING count(*)",
    "UNPIVOT features.products ON a, b",
    "SELECT a FROM raw.products QUALIFY row_number() OVER (PARTITION BY b) = 1",
    "DESCRIBE features.products",
    "DESCRIBE SELECT 1",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "SHOW TABLES FROM lake.features",
    "SUMMARIZE features.products",
    "SUMMARIZE SELECT 1",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE FROM features.products",
    "explain (analyze, format json) select 1",
    "/* why? */ EXPLAIN -- so\n (SELECT 1)",
    "EXPLAIN DESCRIBE features.products",
]

WRITES = [
    ("COPY raw.products TO 'x.parquet'", "COPY is not allowed"),
    ("COPY (SELECT 1) TO 'catalog.sqlite'", "COPY is not allowed"),
    ("ATTACH 'other.db'", "ATTACH is not allowed"),
    ("DETACH lake", "DETACH is not allowed"),
    ("USE memory", "USE is not allowed"),
    ("INSTALL httpfs", "INSTALL is not allowed"),
    ("FORCE INSTALL httpfs", "FORCE is not allowed"),
    ("LOAD httpfs", "LOAD is not allowed"),
    ("SET memory_limit = '99GB'", "SET is not allowed"),
    ("RESET memory_limit", "RESET is not allowed"),
    ("SET VARIABLE a = 1", "SET is not allowed"),
    ("PRAGMA version", "PRAGMA is not allowed"),
    ("PRAGMA enable_profiling", "PRAGMA is not allowed"),
    ("PRAGMA import_database('/tmp')", "PRAGMA is not allowed"),
    ("CALL lake.set_option('parquet_compression', 'zstd')", "CALL is not allowed"),
    ("CALL ducklake_expire_snapshots('lake', older_than => now())", "CALL is not allowed"),
    ("EXPORT DATABASE 'out'", "EXPORT is not allowed"),
    ("IMPORT DATABASE 'out'", "IMPORT is not allowed"),
    ("INSERT INTO raw.products VALUES (1)", "INSERT is not allowed"),
    ("UPDATE raw.products SET a = 1", "UPDATE is not allowed"),
    ("DELETE FROM raw.products", "DELETE is not allowed"),
    ("TRUNCATE raw.products", "TRUNCATE is not allowed"),
    ("MERGE INTO raw.products USING t ON (true) WHEN MATCHED THEN DELETE", "MERGE is not allowed"),
    ("CREATE TABLE t AS SELECT 1", "CREATE is not allowed"),
    ("CREATE TEMP VIEW v AS SELECT 1", "CREATE is not allowed"),
    ("CREATE SECRET s (TYPE s3)", "CREATE is not allowed"),
    ("CREATE MACRO m() AS 1", "CREATE is not allowed"),
    ("ALTER TABLE raw.products ADD COLUMN z INT", "ALTER is not allowed"),
    ("COMMENT ON TABLE raw.products IS 'x'", "COMMENT is not allowed"),
    ("DROP TABLE raw.products", "DROP is not allowed"),
    ("VACUUM", "VACUUM is not allowed"),
    ("CHECKPOINT", "CHECKPOINT is not allowed"),
    ("BEGIN", "BEGIN is not allowed"),
    ("PREPARE p AS SELECT 1", "PREPARE is not allowed"),
    ("EXECUTE p", "EXECUTE is not allowed"),
    ("WITH a AS (SELECT 1) INSERT INTO raw.products FROM a", "has a statement that may change something"),
    ("SELECT 1; DROP TABLE raw.products", "has a statement that may change something"),
    ("SELECT 1; SELECT 2", "expected one statement, got 2"),
    ("-- nothing", "expected one statement, got 0"),
    ("", "expected one statement, got 0"),
    ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "EXPLAIN explains only statements that change nothing"),
    ("EXPLAIN ANALYZE DELETE FROM raw.products", "EXPLAIN explains only"),
    ("EXPLAIN (ANALYZE, FORMAT json) INSERT INTO raw.products VALUES (1)", "EXPLAIN explains only"),
    ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "EXPLAIN explains only"),
    ("EXPLAIN PRAGMA version", "EXPLAIN explains only"),
    ("EXPLAIN SELECT 1; DROP TABLE raw.products", "EXPLAIN explains only"),
    ("/* EXPLAIN */ DROP TABLE raw.products", "DROP is not allowed"),
    ("PIVOT raw.products ON brand USING count(*)", "PIVOT without its values"),
    ("EXPLAIN PIVOT raw.products ON brand", "PIVOT without its values"),
    ("SELEC 1", "the SQL query cannot be parsed: syntax error"),
    ("EXPLAIN EXPLAIN SELECT 1", "the SQL query cannot be parsed: syntax error"),
]

FUNCTIONS = [
    "FROM read_parquet('lake/data/raw/products/*.parquet')",
    "FROM parquet_scan('x.parquet')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_json('x.json')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM glob('/*')",
    "FROM sniff_csv('x.csv')",
    "FROM parquet_metadata('x.parquet')",
    "FROM sqlite_scan('lake/catalog.sqlite', 'ducklake_snapshot')",
    "FROM sqlite_query('lake', 'DROP TABLE ducklake_snapshot')",
    "FROM query('SELECT 1')",
    "FROM query_table('raw.products')",
    "FROM histogram('x.parquet', a)",
    "FROM duckdb_secrets()",
    "FROM pragma_version()",
    "FROM checkpoint()",
    "FROM enable_logging()",
    "FROM ducklake_cleanup_old_files('lake')",
    "FROM ducklake_expire_snapshots('lake', versions => [1])",
    "FROM lake.set_option('a', 'b')",
    "FROM lake.main.merge_adjacent_files()",
    "FROM system.main.read_text('/etc/passwd')",
    "FROM \"READ_TEXT\"('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (FROM read_text('/etc/passwd'))",
    "WITH a AS (FROM read_text('/etc/passwd')) SELECT 1",
    "SELECT * FROM (SELECT 1 UNION ALL SELECT size FROM read_text('/etc/passwd'))",
    "SELECT * FROM range(3) r, LATERAL (SELECT r.range, size FROM read_text('/etc/passwd'))",
    "SELECT * FROM range(3) JOIN read_text('/etc/passwd') ON (true)",
    "SELECT 1 LIMIT (SELECT size FROM read_text('/etc/passwd'))",
    "SELECT 1 ORDER BY (SELECT size FROM read_text('/etc/passwd'))",
    "SELECT sum(1) OVER (ORDER BY (SELECT size FROM read_text('/etc/passwd')))",
    "SELECT list_transform([1], lambda x: (SELECT size FROM read_text('/etc/passwd')))",
    "PIVOT (FROM read_text('/etc/passwd')) ON size IN (1) USING count(*)",
    "DESCRIBE FROM read_text('/etc/passwd')",
    "SUMMARIZE FROM read_text('/etc/passwd')",
    "FROM (SUMMARIZE FROM read_text('/etc/passwd'))",
    "EXPLAIN FROM read_text('/etc/passwd')",
    "EXPLAIN ANALYZE FROM read_text('/etc/passwd')",
    "SELECT json_serialize_plan('FROM read_text(''/etc/passwd'')')",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SELECT range.sleep_ms() FROM range(3)",
    "SELECT __internal_decompress_string(1)",
]

FILES = [
    "FROM 'products.parquet'",
    'FROM "products.csv"',
    "FROM '/etc/passwd'",
    "FROM 'lake/data/raw/products/*.parquet'",
    "FROM 'https://example.org/x.parquet'",
    'FROM "sqlite:lake/catalog.sqlite"',
    'FROM "a/b".products',
    "DESCRIBE 'products.csv'",
    "SUMMARIZE 'products.csv'",
    "EXPLAIN FROM 'products.csv'",
    "WITH \"products.csv\" AS (SELECT 1) SELECT * FROM (FROM 'products.csv')",
    "SELECT (SELECT max(a) FROM 'products.csv')",
]


@pytest.mark.parametrize("sql", READS)
def test_reading_statements_are_accepted(sql: str) -> None:
    parse(sql)


@pytest.mark.parametrize(("sql", "message"), WRITES)
def test_statements_that_do_more_than_read_are_refused(sql: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        parse(sql)


@pytest.mark.parametrize("sql", FUNCTIONS)
def test_functions_that_reach_outside_are_refused_wherever_they_stand(sql: str) -> None:
    with pytest.raises(WarehouseError, match=r"function \w+ is not allowed in stockroom sql"):
        parse(sql)


@pytest.mark.parametrize("sql", FILES)
def test_files_are_not_tables(sql: str) -> None:
    with pytest.raises(WarehouseError, match="file's name"):
        parse(sql)


def test_a_refused_table_function_is_told_what_is_allowed() -> None:
    with pytest.raises(WarehouseError) as refused:
        parse("FROM read_csv('x.csv')")
    assert "read_csv" in refused.value.message
    assert "generate_series" in refused.value.hint


@pytest.mark.parametrize("sql", ["FROM data.parquet", "FROM __ducklake_metadata_lake.ducklake_snapshot", "FROM nix"])
def test_only_known_tables_are_read(sql: str) -> None:
    with pytest.raises(WarehouseError, match="there is no table"):
        check_tables(parse(sql), {("raw", "products")}, "lake")


@pytest.mark.parametrize(
    "sql",
    [
        "FROM raw.products",
        "FROM RAW.Products",
        "FROM lake.raw.products",
        "FROM notes",
        "FROM lake.notes",
        "WITH mine AS (SELECT 1) FROM mine",
    ],
)
def test_known_tables_are_read_by_every_spelling(sql: str) -> None:
    check_tables(parse(sql), {("raw", "products"), ("main", "notes")}, "lake")


def test_an_unknown_table_is_told_its_neighbors() -> None:
    tables = {("raw", "products"), ("staging", "products"), ("raw", "files")}
    with pytest.raises(WarehouseError) as other_schema:
        check_tables(parse("FROM features.products"), tables, "lake")
    with pytest.raises(WarehouseError) as misspelled:
        check_tables(parse("FROM raw.file"), tables, "lake")
    assert other_schema.value.hint == "did you mean raw.products, staging.products? list the tables with: SHOW TABLES"
    assert misspelled.value.hint == "did you mean raw.files? list the tables with: SHOW TABLES"


def test_what_a_statement_reads_is_taken_from_every_part_of_it() -> None:
    statement = parse(
        "WITH a AS (FROM raw.products) SELECT (SELECT max(x) FROM b.c) "
        "FROM a JOIN d USING (k) WHERE k IN (FROM lake.e.f)"
    )
    assert statement.tables == {("raw", "products"), ("b", "c"), ("d",), ("lake", "e", "f")}


def test_an_explained_statement_is_run_as_it_was_read() -> None:
    statement = parse("EXPLAIN /* plan */ SELECT 1")
    assert (statement.explains, statement.sql.split()[0]) == (True, "EXPLAIN")
    assert not parse("SELECT 1").explains


def test_a_query_too_deep_for_the_check_is_refused() -> None:
    with pytest.raises(WarehouseError, match="nested too deeply"):
        parse("SELECT " + " + ".join(["1"] * 950))


def test_every_function_that_sounds_of_more_than_computing_has_been_reviewed() -> None:
    sounds = (
        "read|write|file|env|sql|plan|query|exec|load|pragma|setting|variable|sleep|secret|glob|export|nextval|currval"
    )
    harmless = {
        *("current_query", "current_query_id", "current_setting", "getvariable", "parse_filename"),
        *("json_serialize_sql", "json_deserialize_sql"),  # they parse, and do not bind
        "pg_conf_load_time",
    }
    functions = (
        connect(memory_gb=1)
        .sql(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            f"WHERE function_type IN ('scalar', 'macro') AND regexp_matches(function_name, '{sounds}')"
        )
        .fetchall()
    )
    assert {name for (name,) in functions} - harmless == REFUSED_FUNCTIONS
    assert not TABLE_FUNCTIONS & {name for (name,) in functions}
