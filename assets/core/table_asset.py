"""Shared parts of the table assets: the definition from the contract, and the reported result."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.core.column_lineage import lineage_metadata, recorded_lineage
from assets.core.contract_checks import contract_result, contract_spec, rule_results
from assets.core.table_check import TableCheck
from assets.keys import asset_key
from assets.run_context import RunContext
from warehouse.console.markdown_preview import markdown_table, preview
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.dependencies import DERIVATIONS

_KINDS = {"raw": {"parquet", "duckdb"}, "staging": {"polars"}, "evaluation": {"numpy"}}


def table_asset(
    table: str | Contract,
    deps: tuple[str, ...] = (),
    kinds: set[str] | None = None,
    checks: Sequence[TableCheck] = (),
) -> dict[str, Any]:
    """Return the arguments of `dg.asset` that follow from the table's contract and its sources.

    `deps` are the sources of a table that the warehouse alone does not derive. The asset runs the contract check and
    `checks`: `table_result` yields their results.
    """
    return {**_spec(table, deps, kinds), "check_specs": _check_specs([table], checks)}


def table_assets(
    tables: Sequence[str],
    deps: tuple[str, ...] = (),
    kinds: set[str] | None = None,
    checks: Sequence[TableCheck] = (),
    others: Sequence[dg.AssetSpec] = (),
) -> dict[str, Any]:
    """Return the arguments of `dg.multi_asset` for tables that one function fills, beside other assets of the function."""
    specs = [dg.AssetSpec(**_spec(table, deps, kinds)) for table in tables]
    return {"specs": [*others, *specs], "check_specs": _check_specs(tables, checks)}


def _check_specs(tables: Sequence[str | Contract], checks: Sequence[TableCheck]) -> list[dg.AssetCheckSpec]:
    return [*(contract_spec(_contract(table)) for table in tables), *(check.spec for check in checks)]


def _spec(table: str | Contract, deps: tuple[str, ...], kinds: set[str] | None) -> dict[str, Any]:
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
    checks: Sequence[TableCheck] = (),
) -> dg.MaterializeResult:
    """Check a table; report its row count, preview and data version, the report fields of the run, and further metadata."""
    contract = _contract(table)
    table = contract.table
    version = run_context.watermarks.state.data_version(table)
    contract_check = contract_result(run_context, contract)
    preview_metadata = {}
    if not run_context.pinned_model:  # an apply leaves previews and plots to the next build: they take half a second
        with run_context.home.lake.reading() as connection:
            preview_metadata = {"preview": dg.MarkdownMetadataValue(preview(connection, table))}
    metadata = {
        "dagster/row_count": tables.rows_of(version),
        **preview_metadata,
        **(
            recorded_lineage(run_context, table)
            if run_context.pinned_model
            else lineage_metadata(table, run_context.home.feature_views)
        ),
        **(extra_metadata or {}),
    }
    results = [contract_check, *rule_results(run_context, checks)]
    return result(context, run_context, table, version, metadata, facts, results)


def result(
    context: dg.AssetExecutionContext,
    run_context: RunContext,
    name: str,
    version: str,
    metadata: Mapping[str, Any],
    facts: Mapping[str, Any],
    checks: Iterable[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """Return a materialization with its data version and check results.

    Its report fields are written to the run log and shown in the UI.
    """
    run_context.home.journal.append(context.run.run_id, name, dict(facts))
    return dg.MaterializeResult(
        asset_key=asset_key(name),
        metadata={**metadata, **facts},
        data_version=dg.DataVersion(version),
        check_results=list(checks),
    )


def _contract(table: str | Contract) -> Contract:
    return table if isinstance(table, Contract) else CONTRACTS[table]
