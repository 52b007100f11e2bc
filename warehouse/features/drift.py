"""Drift: how far the features of a table are from its previous version, and from those that models were trained on."""

from collections.abc import Mapping
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import is_feature_view
from warehouse.features import feature_views
from warehouse.features.feature_statistics import VERSIONS, rows_of, value_counts, versions
from warehouse.lake import tables
from warehouse.lake.lake import Lake, quote
from warehouse.settings import MonitoringSettings

WATCHED = ("features.products", "features.queries", "features.pairs")
"""The built-in feature tables under watch, in addition to those of all feature views. Their keys begin with the locale."""
DRIFT = CONTRACTS["monitoring.drift"]


class Reference(NamedTuple):
    """Name the reference of a comparison: the previous version of a table, or the one that a model was trained on."""

    name: str
    version: str
    model_id: str | None = None


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
        tables.ensure(connection, DRIFT)
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
                with value_counts(connection, contract):
                    for reference in new:
                        comparisons += _measure(connection, table, history[-1], reference)
    return comparisons


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
    return f"{rows_of(table, version)} AND {against}"
