"""What every table asset shares: its definition from the contract, and the result that it reports."""

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

    `deps` are those of a table that is not derived by the warehouse alone.
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
    """Return the metadata that shows the columns of a table outside the lake, given type and meaning of each."""
    described = [dg.TableColumn(name, type=kind, description=meaning) for name, (kind, meaning) in columns.items()]
    return {"dagster/column_schema": dg.TableSchema(columns=described)}


def first_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the metadata that shows some rows of a table outside the lake."""
    return {"preview": dg.MarkdownMetadataValue(markdown_table(names, rows))}


def table_result(
    context: dg.AssetExecutionContext,
    run_context: RunContext,
    table: str | Contract,
    facts: Mapping[str, Any],
    shown: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Report a table as it now stands: rows, first rows, data version; what the run did to it; and what else to show."""
    contract = _contract(table)
    table = contract.table
    with run_context.home.lake.reading() as connection:
        version = change_feed.data_version(connection, table)
        first = _shown_before(context, table, version) or dg.MarkdownMetadataValue(preview(connection, table))
    metadata = {
        "dagster/row_count": tables.rows_of(version),
        "preview": first,
        **(
            recorded_lineage(run_context, table)
            if run_context.pinned_model
            else lineage_metadata(table, run_context.home.feature_views)
        ),
        **(shown or {}),
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
    """Return a materialisation under a data version; write its facts to the run journal and show them in the UI."""
    run_context.home.journal.append(context.run.run_id, name, dict(facts))
    return dg.MaterializeResult(
        asset_key=asset_key(name), metadata={**metadata, **facts}, data_version=dg.DataVersion(version)
    )


def _shown_before(context: dg.AssetExecutionContext, table: str, version: str) -> dg.MetadataValue[Any] | None:
    """Return the first rows that are shown of the table already, if it has the same data version; None if it has not."""
    event = context.instance.get_latest_materialization_event(asset_key(table))
    shown = event.asset_materialization if event else None
    if shown is None or (shown.tags or {}).get(DATA_VERSION_TAG) != version:
        return None
    rows: dg.MetadataValue[Any] | None = shown.metadata.get("preview")
    return rows


def _contract(table: str | Contract) -> Contract:
    return table if isinstance(table, Contract) else CONTRACTS[table]
