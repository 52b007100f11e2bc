"""Feature statistics: the versions that a feature table has had, and the distribution of every feature in each."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.locales import LOCALE
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.lake import quote, snapshot_id
from warehouse.settings import MonitoringSettings

VERSIONS, STATS = CONTRACTS["monitoring.versions"], CONTRACTS["monitoring.feature_stats"]
_IDENTIFIERS = frozenset(
    {"key", "product_id", "query_id", "query_key", "product_key", "entity_key", "event_time"}
)  # all distinct: nothing to count
_LOCALE = LOCALE.replace("^", "^(").replace("$", "):")
_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"})


def record(connection: duckdb.DuckDBPyConnection, contract: Contract, settings: MonitoringSettings) -> pl.DataFrame:
    """Write the table's version and statistics if they are new, within the transaction that filled it.

    Returns:
        The statistics of the current table: rows of monitoring.feature_stats.
    """
    version = tables.fingerprint(connection, contract)
    for each in (VERSIONS, STATS):
        tables.ensure(connection, each)
    history = versions(connection, contract.table)
    if not history or history[-1] != version:
        number = len(history) + 1
        row = {"key": f"{contract.table}:{number}", "table_name": contract.table, "number": number, "version": version}
        row["since_snapshot"] = snapshot_id(connection) + 1  # this very commit's: there is one writer at a time
        tables.refresh_from(connection, VERSIONS, pl.DataFrame([row]), f"key = {quote(str(row['key']))}")
    if stats(connection, contract.table, version).is_empty():
        with value_counts(connection, contract):
            rows = connection.execute(
                tables.sql(STATS.table),
                {
                    "table_name": contract.table,
                    "version": version,
                    "bins": settings.bins,
                    "top_values": settings.top_values,
                },
            ).pl()
        tables.refresh_from(connection, STATS, rows, rows_of(contract.table, version))
    return stats(connection, contract.table, version)


def versions(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the versions that a table has had, oldest first."""
    query = f"SELECT version FROM {VERSIONS.table} WHERE table_name = ? ORDER BY number"
    return [str(row[0]) for row in connection.execute(query, [table]).fetchall()]


def stats(connection: duckdb.DuckDBPyConnection, table: str, version: str) -> pl.DataFrame:
    """Return the statistics of one version of a table."""
    columns = ", ".join(STATS.columns)
    return connection.sql(f"SELECT {columns} FROM {STATS.table} WHERE {rows_of(table, version)} ORDER BY key").pl()


def rows_of(table: str, version: str) -> str:
    """Return the SQL condition of the rows about one version of a table."""
    return f"table_name = {quote(table)} AND version = {quote(version)}"


@contextmanager
def value_counts(connection: duckdb.DuckDBPyConnection, contract: Contract) -> Iterator[None]:
    """Count every value of every feature of a table, in one pass over it, into the temporary table `value_counts`."""
    features = [column for column in contract.columns if column not in _IDENTIFIERS]
    sets = ", ".join(f'(marketplace, "{column}")' for column in features)
    cases = " ".join(f'WHEN grouping("{column}") = 0 THEN {_feature(contract, column)}' for column in features)
    # Keys of contexts and keys outside the catalog have no locale; their rows count in all locales.
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW counted AS SELECT marketplace AS locale, CASE {cases} END AS feature, count(*) AS n FROM "
        f"(SELECT nullif(regexp_extract(\"{contract.key}\", '{_LOCALE}', 1), '') AS marketplace, * FROM {contract.table}"
        f") GROUP BY GROUPING SETS ({sets})"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE value_counts AS {tables.sql('monitoring.value_counts')}")
    connection.execute(tables.sql("monitoring.bin_of"))
    yield
    connection.execute("DROP TABLE value_counts")
    connection.execute("DROP VIEW counted")


def _feature(contract: Contract, column: str) -> str:
    """Return the SQL of a struct with a feature's name, kind, numeric value if it has one, and value as text."""
    sql_type = contract.sql_type(column)
    if sql_type in _NUMBERS:
        kind, number = "numeric", f'"{column}"::DOUBLE'
    elif sql_type == "TIMESTAMP WITH TIME ZONE":
        kind, number = "numeric", f'epoch("{column}") / 86400'  # in days
    elif sql_type == "BOOLEAN":
        kind, number = "flag", f'"{column}"::INTEGER::DOUBLE'
    else:
        kind, number = "categorical", "NULL::DOUBLE"
    return f"{{column_name: {quote(column)}, kind: '{kind}', number: {number}, text: \"{column}\"::VARCHAR}}"
