"""Drift monitoring: the statistics of the features in each version of their table, and their drift."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.locales import LOCALE
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import is_feature_view
from warehouse.features import feature_views
from warehouse.lake import tables
from warehouse.lake.lake import Lake, quote, snapshot_id
from warehouse.settings import MonitoringSettings

WATCHED = ("features.products", "features.queries", "features.pairs")
"""The built-in feature tables under watch, in addition to those of all feature views. Their keys begin with the locale."""

VERSIONS, STATS, DRIFT = (CONTRACTS[f"monitoring.{name}"] for name in ("versions", "feature_stats", "drift"))
_IDENTIFIERS = frozenset(
    {"key", "product_id", "query_id", "query_key", "product_key", "entity_key", "event_time"}
)  # all distinct: nothing to count
_LOCALE = LOCALE.replace("^", "^(").replace("$", "):")
_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"})


class Reference(NamedTuple):
    """Name the reference of a comparison: the previous version of a table, or the one that a model was trained on."""

    name: str
    version: str
    model_id: str | None = None


def record(connection: duckdb.DuckDBPyConnection, contract: Contract, settings: MonitoringSettings) -> pl.DataFrame:
    """Write the table's version and statistics if they are new, within the transaction that filled it.

    Returns:
        The statistics of the current table: rows of monitoring.feature_stats.
    """
    version = tables.fingerprint(connection, contract)
    for each in (VERSIONS, STATS, DRIFT):
        tables.ensure(connection, each)
    history = versions(connection, contract.table)
    if not history or history[-1] != version:
        number = len(history) + 1
        row = {"key": f"{contract.table}:{number}", "table_name": contract.table, "number": number, "version": version}
        row["since_snapshot"] = snapshot_id(connection) + 1  # this very commit's: there is one writer at a time
        tables.refresh_from(connection, VERSIONS, pl.DataFrame([row]), f"key = {quote(str(row['key']))}")
    if stats(connection, contract.table, version).is_empty():
        with _value_counts(connection, contract):
            rows = connection.execute(
                tables.sql(STATS.table),
                {
                    "table_name": contract.table,
                    "version": version,
                    "bins": settings.bins,
                    "top_values": settings.top_values,
                },
            ).pl()
        tables.refresh_from(connection, STATS, rows, _rows_of(contract.table, version))
    return stats(connection, contract.table, version)


def measure_drift(lake: Lake, trained: Mapping[str, Mapping[str, str]]) -> int:
    """Compare every feature table with its previous version, and with the versions that some models were trained on.

    Args:
        lake: The lake, with its features recorded.
        trained: The training versions by model and table.

    Returns:
        The number of new comparisons, without those in monitoring.drift already and those of a version with itself.
    """
    comparisons = 0
    with lake.writing() as connection:
        for table, contract in _watched(connection).items():
            history = versions(connection, table)
            if not history:
                continue
            references = [Reference("previous", version) for version in history[-2:-1]]
            references += [
                Reference("training", versions_of[table], model_id)
                for model_id, versions_of in trained.items()
                if versions_of.get(table, history[-1]) != history[-1]
            ]
            new = [one for one in references if not _is_measured(connection, table, history[-1], one)]
            if new:
                with _value_counts(connection, contract):
                    for reference in new:
                        comparisons += _measure(connection, table, history[-1], reference)
    return comparisons


def versions(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the versions that a table has had, oldest first."""
    query = f"SELECT version FROM {VERSIONS.table} WHERE table_name = ? ORDER BY number"
    return [str(row[0]) for row in connection.execute(query, [table]).fetchall()]


def stats(connection: duckdb.DuckDBPyConnection, table: str, version: str) -> pl.DataFrame:
    """Return the statistics of one version of a table."""
    columns = ", ".join(STATS.columns)
    return connection.sql(f"SELECT {columns} FROM {STATS.table} WHERE {_rows_of(table, version)} ORDER BY key").pl()


def drift(lake: Lake, models: list[str]) -> pl.DataFrame:
    """Return the drift of the newest version of every watched table from the previous one and from the models' training."""
    columns = ", ".join(DRIFT.columns)
    with lake.reading() as connection:
        return connection.execute(
            f"SELECT {columns} FROM {DRIFT.table} "
            f"SEMI JOIN (SELECT table_name, arg_max(version, number) AS version FROM {VERSIONS.table} GROUP BY table_name) "
            "USING (table_name, version) WHERE (reference = 'previous' OR model_id IN (SELECT unnest($models))) "
            "AND table_name IN (SELECT unnest($watched)) ORDER BY psi DESC, key",
            {"models": models, "watched": list(_watched(connection))},
        ).pl()


def drifted(drift: pl.DataFrame, settings: MonitoringSettings, threshold: float) -> pl.DataFrame:
    """Return the rows of a drift frame with a PSI of at least `threshold` on at least `drift_min_rows` rows on both sides."""
    enough = pl.min_horizontal("rows", "reference_rows") >= settings.drift_min_rows
    return drift.filter(enough, pl.col("psi") >= threshold)


def _watched(connection: duckdb.DuckDBPyConnection) -> dict[str, Contract]:
    """Return the contracts of the watched tables in the state of the lake that the connection sees."""
    contracts = feature_views.contracts(connection)
    return {table: contract for table, contract in contracts.items() if table in WATCHED or is_feature_view(table)}


def _measure(connection: duckdb.DuckDBPyConnection, table: str, version: str, reference: Reference) -> int:
    rows = connection.execute(
        tables.sql(DRIFT.table),
        {
            "table_name": table,
            "version": version,
            "reference": reference.name,
            "reference_version": reference.version,
            "model_id": reference.model_id,
        },
    ).pl()
    tables.refresh_from(connection, DRIFT, rows, _compared(table, version, reference))
    return int(rows.height > 0)


def _is_measured(connection: duckdb.DuckDBPyConnection, table: str, version: str, reference: Reference) -> bool:
    where = _compared(table, version, reference)
    return connection.execute(f"SELECT 1 FROM {DRIFT.table} WHERE {where} LIMIT 1").fetchone() is not None


def _compared(table: str, version: str, reference: Reference) -> str:
    model = f" AND model_id = {quote(reference.model_id)}" if reference.model_id else ""
    against = f"reference = {quote(reference.name)} AND reference_version = {quote(reference.version)}{model}"
    return f"{_rows_of(table, version)} AND {against}"


def _rows_of(table: str, version: str) -> str:
    return f"table_name = {quote(table)} AND version = {quote(version)}"


@contextmanager
def _value_counts(connection: duckdb.DuckDBPyConnection, contract: Contract) -> Iterator[None]:
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
