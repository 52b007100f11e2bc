"""The lineage: where every column comes from, for SQL and for Dagster's pages."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from models.text import product_text
from warehouse import lineage
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.lineage import Step

METADATA_KEY = "dagster/column_lineage"


def product_vector_steps() -> list[Step]:
    """Return the steps to a product's vector, as the contract and the encoded text have them."""
    contract = CONTRACTS["features.products"]
    columns = (*contract.tower_columns("numeric"), *contract.tower_columns("categorical"))
    return lineage.vector_steps(columns, product_text().meta.root_names())


def lineage_metadata(table: str) -> dict[str, Any]:
    """Return a table's column lineage as metadata of its asset; nothing where it has none or it cannot be told."""
    try:
        steps = product_vector_steps() if table == "vectors.products" else lineage.steps(table)
    except WarehouseError:  # registry.lineage says so once, for all tables
        return {}
    return {METADATA_KEY: column_lineage(steps)} if steps else {}


def column_lineage(steps: Iterable[Step]) -> dg.TableColumnLineage:
    """Return steps to the columns of one table as Dagster has them; a file is the asset `files/<its name>`."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for step in steps:
        if step.source_table == step.table:
            continue  # the hash of a row's own content
        is_table = step.source_table in CONTRACTS
        key = dg.AssetKey(step.source_table.split(".") if is_table else ["files", step.source_table])
        deps.setdefault(step.column, []).append(dg.TableColumnDep(asset_key=key, column_name=step.source_column))
    return dg.TableColumnLineage(deps)
