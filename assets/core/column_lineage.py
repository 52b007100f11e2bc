"""Column lineage for SQL and for Dagster's UI."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from assets.run_context import RunContext
from models.encoder.text_template import product_text
from warehouse.catalog import column_lineage as lineage
from warehouse.catalog.column_lineage import Step
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureViews
from warehouse.errors import WarehouseError

METADATA_KEY = "dagster/column_lineage"


def product_vector_steps(feature_views: FeatureViews = ()) -> list[Step]:
    """Return the steps by which product vectors derive from columns: features that the tower reads, and encoded texts."""
    contract = CONTRACTS["features.products"]
    columns = (*contract.tower_columns("numeric"), *contract.tower_columns("categorical"))
    return lineage.vector_steps(columns, product_text().meta.root_names(), feature_views)


def lineage_metadata(table: str, feature_views: FeatureViews = ()) -> dict[str, Any]:
    """Return a table's column lineage as asset metadata; empty if the table has none or its SQL cannot be parsed."""
    try:
        table_steps = lineage.steps(table) if table in CONTRACTS else ()
    except WarehouseError:  # registry.lineage warns of it once, for all tables
        return {}
    others = product_vector_steps(feature_views) + lineage.time_series_steps(feature_views)
    steps = [*table_steps, *(step for step in others if step.table == table)]
    return {METADATA_KEY: column_lineage(steps)} if steps else {}


def recorded_lineage(run_context: RunContext, table: str) -> dict[str, Any]:
    """Return the column lineage that the last build recorded: parsing all SQL files again takes seconds."""

    def read() -> dict[str, list[Step]]:
        with run_context.home.lake.reading() as connection:
            return lineage.recorded(connection)

    steps = run_context.cached("recorded lineage", read).get(table)
    return {METADATA_KEY: column_lineage(steps)} if steps else {}


def column_lineage(steps: Iterable[Step]) -> dg.TableColumnLineage:
    """Convert the lineage steps of one table's columns into Dagster's form; a file is the asset `files/<its name>`."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for step in steps:
        if step.source_table == step.table:
            continue  # the hash of a row's own content
        is_file = step.made_by in lineage.FROM_FILES
        key = dg.AssetKey(["files", step.source_table] if is_file else step.source_table.split("."))
        deps.setdefault(step.column, []).append(dg.TableColumnDep(asset_key=key, column_name=step.source_column))
    return dg.TableColumnLineage(deps)
