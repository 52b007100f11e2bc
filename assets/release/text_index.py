"""The text index: the words of the catalog's products, which the text leg of a search reads."""

import dagster as dg

from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.run_context import RunContext
from assets.services.text_refresh import SOURCE, TEXTS, refresh_texts
from warehouse.code_digest import digest
from warehouse.features import datasets
from warehouse.lake import change_feed, tables

_PREVIEW_COLUMNS = ("key", "title_words", "body_words", "amounts")
_COVERS = "rows_are_those_of_the_catalog"


@dg.asset(
    key=asset_key(TEXTS),
    deps=[asset_key(SOURCE)],
    group_name="vectors",
    kinds={"lancedb"},
    metadata=outside_schema(
        {
            "key": ("string", "locale:product_id"),
            "product_id": ("string", "the catalog's id"),
            "locale": ("string", "marketplace"),
            "title": ("string", "the cleaned title"),
            "brand": ("string", "the cleaned brand"),
            "color": ("string", "the cleaned color"),
            "title_words": ("string", "words of title, brand and color, with a full-text index"),
            "body_words": ("string", "words of bullet points and description, with a full-text index"),
            "amounts": ("string", "amounts in the title by measure"),
            "input_hash": ("string", "hash of the product's content"),
        }
    ),
    description="One row per product: its words, with a full-text index that takes in changed rows alone.",
    check_specs=[
        dg.AssetCheckSpec(
            _COVERS, asset=asset_key(TEXTS), description="There are as many rows as products.", blocking=True
        )
    ],
)
def vectors_texts(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Index the products whose content changed; delete those that left the catalog."""
    write = refresh_texts(run_context)
    with run_context.home.lake.reading() as connection:
        version, products = change_feed.data_version(connection, SOURCE), tables.count(connection, SOURCE)
    rows = run_context.home.texts.count(write.version) if write.version else 0
    covers = dg.AssetCheckResult(
        passed=rows == products,
        check_name=_COVERS,
        asset_key=asset_key(TEXTS),
        description=None if rows == products else f"{rows:,} rows for {products:,} products",
        metadata={"rows": rows, "products": products},
    )
    metadata = {
        "dagster/row_count": rows,
        "table_version": write.version,
        **first_rows(
            _PREVIEW_COLUMNS, datasets.some_texts(run_context.home.lake, 5).select(_PREVIEW_COLUMNS).iter_rows()
        ),
    }
    facts = {"upserted": write.upserted, "deleted": write.deleted}
    return result(context, run_context, TEXTS, digest(version), metadata, facts, [covers])
