"""Shared parts of the table assets: the definition from the contract, and the reported result."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from assets.core.column_lineage import lineage_metadata, recorded_lineage
from assets.keys import asset_key
from assets.run_context import RunContext
from warehouse.console.markdown_preview import markdown_table, preview
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import change_feed, tables
from warehouse.lake.dependencies import DERIVATIONS

_KINDS = {"raw": {"parquet", "duckdb"}, "staging": {"polars"}, "evaluation": {"numpy"}}


def table_asset(table: str | Contract, deps: tuple[str, ...] = (), kinds: set[str] | None = None) -> dict[str, Any]:
    """Return the arguments of `dg.asset` (and `dg.AssetSpec`) that follow from the table's contract and its sources.

    `deps` are the sources of a table that the warehouse alone does not derive.
    """
    contract = _contract(table)
    table = contract.table
    if table in DERIVATIONS:
        deps = DERIVATIONS[table].sources
    return {
        "key": asset_key(table),
        "deps": [asset_key(dep) for dep in deps],
        "group_name": table.split(".")[0],
        "kinds": kinds or _KINDS.get(table.split(".")[0], {"duckdb"}),
        "description": contract.description,
        "metadata": {
            "dagster/column_schema": column_schema(contract),
            "dagster/table_name": table,
        },
    }


def column_schema(table: str | Contract) -> dg.TableSchema:
    """Return the table's columns with types, meanings and constraints, for Dagster's UI."""
    contract = _contract(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=contract.sql_type(name),
                description=contract.meaning(name),
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=name == contract.key),
            )
            for name, column in contract.columns.items()
        ]
    )


def outside_schema(columns: Mapping[str, tuple[str, str]]) -> dict[str, dg.TableSchema]:
    """Return the column schema metadata of a table outside the lake, given the type and meaning of each column."""
    described = [dg.TableColumn(name, type=kind, description=meaning) for name, (kind, meaning) in columns.items()]
    return {"dagster/column_schema": dg.TableSchema(columns=described)}


def first_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the preview metadata of a table outside the lake, given some rows."""
    return {"preview": dg.MarkdownMetadataValue(markdown_table(names, rows))}


def table_result(
    context: dg.AssetExecutionContext,
    run_context: RunContext,
    table: str | Contract,
    facts: Mapping[str, Any],
    extra_metadata: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Report a table's current row count, preview and data version, the facts of the run, and further metadata."""
    contract = _contract(table)
    table = contract.table
    with run_context.home.lake.reading() as connection:
        version = change_feed.data_version(connection, table)
        table_preview = _previous_preview(context, table, version) or dg.MarkdownMetadataValue(
            preview(connection, table)
        )
    metadata = {
        "dagster/row_count": tables.rows_of(version),
        "preview": table_preview,
        **(
            recorded_lineage(run_context, table)
            if run_context.pinned_model
            else lineage_metadata(table, run_context.home.feature_views)
        ),
        **(extra_metadata or {}),
    }
    return result(context, run_context, table, version, metadata, facts)


def result(
    context: dg.AssetExecutionContext,
    run_context: RunContext,
    name: str,
    version: str,
    metadata: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> dg.MaterializeResult[Any]:
    """Return a materialization with its data version; write its facts to the run journal and show them in the UI."""
    run_context.home.journal.append(context.run.run_id, name, dict(facts))
    return dg.MaterializeResult(
        asset_key=asset_key(name), metadata={**metadata, **facts}, data_version=dg.DataVersion(version)
    )


def _previous_preview(context: dg.AssetExecutionContext, table: str, version: str) -> dg.MetadataValue[Any] | None:
    """Return the preview of the latest materialization if it has the same data version, else None."""
    event = context.instance.get_latest_materialization_event(asset_key(table))
    materialization = event.asset_materialization if event else None
    if materialization is None or (materialization.tags or {}).get(DATA_VERSION_TAG) != version:
        return None
    table_preview: dg.MetadataValue[Any] | None = materialization.metadata.get("preview")
    return table_preview


def _contract(table: str | Contract) -> Contract:
    return table if isinstance(table, Contract) else CONTRACTS[table]
