"""The registry: what the contracts declare of every table and feature, as tables for SQL."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.tables import table_asset, table_result
from assets.workspace import Workspace
from warehouse import declared


@dg.multi_asset(
    name="registry",
    specs=[dg.AssetSpec(**table_asset(table)) for table in ("registry.tables", "registry.features")],
)
def registry(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Write down what the contracts declare."""
    with workspace.home.lake.writing() as connection:
        changes = declared.refresh(connection)
    for table, change in changes.items():
        yield table_result(context, workspace, table, change.counts)
