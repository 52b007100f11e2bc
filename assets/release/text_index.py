"""The text index: the words of the catalog's products, which the text leg of a search reads."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.run_context import RunContext
from assets.services.text_refresh import SOURCE, TEXTS, differing_rows, refresh_texts
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets
from warehouse.lake import tables
from warehouse.vectors.text_index import COLUMNS
from warehouse.wording import named

_PREVIEW_COLUMNS = ("key", "title_words", "body_words", "amounts")
CHECKS = {
    "rows_are_those_of_the_catalog": "There are as many rows as products.",
    "words_are_those_of_the_catalog": "Sampled rows hold the words of their products.",
}
"""The rule of each check, by its name."""

_HINT = "stockroom replay makes the index again"
_NAMED = 5


@asset(
    key=asset_key(TEXTS),
    deps=[asset_key(SOURCE)],
    group_name="vectors",
    kinds={"lancedb"},
    metadata=outside_schema(
        {name: ("string", CONTRACTS[SOURCE].meaning(name)) for name in COLUMNS[:-1]}
        | {COLUMNS[-1]: ("string", "hash of the product's content")}
    ),
    description="One row per product: its words, with a full-text index that takes in changed rows alone.",
    check_specs=[
        dg.AssetCheckSpec(name, asset=asset_key(TEXTS), description=description, blocking=True)
        for name, description in CHECKS.items()
    ],
)
def vectors_texts(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Index the products whose content changed; delete those that left the catalog."""
    write = refresh_texts(run_context)
    version = run_context.watermarks.state.data_version(SOURCE)
    rows = run_context.home.texts.count(write.version) if write.version else 0
    metadata: dict[str, Any] = {"dagster/row_count": rows, "table_version": write.version}
    if not run_context.pinned_model:  # an apply leaves previews to the next build
        preview = datasets.some_texts(run_context.home.lake, 5).select(_PREVIEW_COLUMNS)
        metadata |= first_rows(_PREVIEW_COLUMNS, preview.iter_rows())
    facts = {"upserted": write.upserted, "deleted": write.deleted}
    return result(context, run_context, TEXTS, digest(version), metadata, facts, _checks(run_context, rows, version))


def _checks(run_context: RunContext, rows: int, version: str) -> Iterator[dg.AssetCheckResult]:
    products = tables.rows_of(version)
    others = differing_rows(run_context, run_context.release.health_sample) if rows else []
    faults = {
        "rows_are_those_of_the_catalog": f"{rows:,} rows for {products:,} products" if rows != products else None,
        "words_are_those_of_the_catalog": f"{named(others, _NAMED)}: other words than the catalog's"
        if others
        else None,
    }
    for name, fault in faults.items():
        yield dg.AssetCheckResult(
            passed=fault is None,
            check_name=name,
            asset_key=asset_key(TEXTS),
            description=f"{fault}; {_HINT}" if fault else None,
            metadata={"rows": rows, "products": products, "keys": others[:_NAMED]},
        )
