"""The product vectors: the product tower's output for the catalog; only the rows that differ are written."""

import dagster as dg

from assets.core.column_lineage import lineage_metadata
from assets.core.steps import asset
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.release.vector_index_checks import SPECS, index_checks
from assets.run_context import RunContext
from assets.services.live_model import live_champion
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.vector_refresh import embed
from warehouse.code_digest import digest
from warehouse.features import datasets, feature_views

_PREVIEW_COLUMNS = ("key", "title", "input_hash")
_READ = ("staging.products", "features.products")


@asset(
    key=asset_key("vectors.products"),
    deps=[
        asset_key("model.two_tower"),
        *map(asset_key, ("features.products", "registry.feature_views", "embeddings.texts")),
    ],
    group_name="vectors",
    kinds={"lancedb"},
    metadata=outside_schema(
        {
            "key": ("string", "locale:product_id"),
            "product_id": ("string", "the catalog's id"),
            "locale": ("string", "locale, such as us or en-us"),
            "title": ("string", "the cleaned title, shown with a hit"),
            "vector": ("float32[dim]", "vector of text and features by the product tower, of length 1"),
            "input_hash": ("string", "hash of the text and of the features read that the vector was made from"),
        }
    ),
    description="One vector per product, made by a model's product tower; models with an equal product side share a table.",
    check_specs=SPECS,
)
def vectors_products(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Embed the products whose text or features are new to this model; delete the vectors of products that left the catalog.

    If the live model is another one, its vectors are updated too: it stays live if the gate refuses the new model.
    """
    model = ServingModel.of(run_context, model_name(run_context))
    keys = None if run_context.reembed_all or run_context.compares_whole else model.changed("product")
    products = model.with_input_hash(datasets.products(run_context.home.lake, keys=keys))
    vector_write, version = embed(model, products, keys, reembed_all=run_context.reembed_all)
    live = live_champion(run_context, model.model_id)
    if live is not None and live.vector_table != model.vector_table:
        embed(live, live.with_input_hash(products))
    versions = [run_context.watermarks.state.data_version(table) for table in _READ]
    with run_context.home.lake.reading() as connection:
        versions += feature_views.fingerprints(connection)
    return result(
        context,
        run_context,
        "vectors.products",
        digest(model.vector_table, *versions),
        {
            "dagster/row_count": run_context.home.vectors.count(model.vector_table) if version else 0,
            "table": model.vector_table,
            "table_version": version,
            **lineage_metadata("vectors.products", run_context.home.feature_views),
            **first_rows(_PREVIEW_COLUMNS, products.select(_PREVIEW_COLUMNS).head(5).iter_rows()),
        },
        {"upserted": vector_write.upserted, "deleted": vector_write.deleted},
        index_checks(run_context),
    )
