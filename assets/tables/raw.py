"""The raw tables: a full snapshot of the ESCI files, then delta files, each ingested whole or not at all."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from assets.core.steps import multi_asset
from assets.core.table_asset import table_assets, table_result
from assets.run_context import RunContext
from assets.services.raw_folder import change_attributes, raw_folder
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas, ensure
from warehouse.ingest.full_snapshot import Ingested, ingest, require_raw
from warehouse.ingest.rules_file import check_rules_file, split_files
from warehouse.ingest.sources import input_files
from warehouse.lake.sync_tables import RAW_TABLES
from warehouse.operations.replay import archiving, prune_archive
from warehouse.sources.prepared import decimal_signs


@multi_asset(name="raw", **table_assets(RAW_TABLES))
def raw_tables(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult]:
    """Ingest the files of an ESCI folder, then delta files; move bad rows to quarantine."""
    home, folder = run_context.home, raw_folder(run_context)
    if folder is None:
        require_raw(home.lake)
    rules_paths, delta_paths = split_files(run_context.deltas)
    rules = [check_rules_file(path) for path in rules_paths]
    deltas = check_deltas(delta_paths, sources=home.sources, decimal_signs=decimal_signs(home.prepared_sources))
    files, allow_loss = input_files(folder) if folder else [], run_context.allow_loss
    with archiving(home, [*files, *rules, *deltas]):
        ingested = ingest(home.lake, folder, files, allow_loss=allow_loss) if folder else []
        for file in rules:
            ingested += ingest(home.lake, file.path.parent, [file], alone=True)
        delta_results = apply_deltas(home.lake, deltas, allow_loss=allow_loss)
    change_attributes(home, deltas)
    facts_by_table = {one.table: _facts(one) for one in ingested}
    with home.lake.writing() as connection:
        ensure(connection)
    prune_archive(home)
    facts_by_table["raw.deltas"] = {"files": [asdict(one) for one in delta_results]}
    warnings = [one.warning for one in delta_results if one.warning]
    if warnings:
        facts_by_table["raw.deltas"]["warning"] = "; ".join(warnings)
    for table in RAW_TABLES:
        facts = facts_by_table.get(table, {})
        if "warning" in facts:
            context.log.warning(facts["warning"])
        yield table_result(context, run_context, table, facts)


def _facts(ingested: Ingested) -> dict[str, Any]:
    """Return the run metadata of an ingested file, without an empty list of new columns and without an empty warning."""
    facts = asdict(ingested) | {"new_columns": list(ingested.new_columns), "warning": ingested.warning}
    return {name: fact for name, fact in facts.items() if fact or name not in ("new_columns", "warning")}
