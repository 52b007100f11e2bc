"""The product vectors: the catalog through the product tower, reconciled row by row."""

from collections.abc import Iterable, Iterator

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.core.column_lineage import lineage_metadata
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.model.two_tower import model_name
from assets.release.vector_index_checks import SPECS, index_checks
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel, live_champion
from warehouse.code_digest import digest
from warehouse.features import datasets, point_in_time
from warehouse.lake import change_feed
from warehouse.lake.reconcile import plan
from warehouse.vectors.lance_tables import to_vectors
from warehouse.vectors.product_vectors import Rows, VectorWrite

_PREVIEW_COLUMNS = ("key", "title", "input_hash")
_READ = ("staging.products", "features.products")
_ROWS = 50_000  # products embedded at a time: 150 MB at 384 dimensions


@dg.asset(
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
            "locale": ("string", "marketplace"),
            "title": ("string", "the cleaned title, shown with a hit"),
            "vector": ("float32[dim]", "what the product tower makes of text and features, of length 1"),
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
    with run_context.home.lake.reading() as connection:
        versions = [change_feed.data_version(connection, table) for table in _READ]
        versions += point_in_time.fingerprints(connection)
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


def embed(
    model: ServingModel, products: pl.DataFrame, keys: pl.DataFrame | None = None, *, reembed_all: bool = False
) -> tuple[VectorWrite, int]:
    """Reconcile the model's vector table with the products and update its index; return the write and the table's version.

    With `keys`, `products` holds the existing products with these keys, and all other rows stay as they are. With
    `reembed_all`, every vector is computed, and those that differ from the stored ones are written.
    """
    store = model.run_context.home.vectors
    change = plan(products, store.current(model.vector_table, keys))
    if reembed_all:
        rows: Iterable[Rows] = store.differing(model.vector_table, _rows(model, products))
    else:
        rows = _rows(model, products.join(change.upsert, on="key", how="semi", maintain_order="left"))
    vector_write = store.apply(model.vector_table, rows, change.delete["key"].to_list(), model.dim)
    share = model.run_context.release.max_unindexed_share
    return vector_write, store.refresh_index(model.vector_table, unindexed_share=share) if vector_write.version else 0


def _rows(model: ServingModel, products: pl.DataFrame) -> Iterator[pa.Table]:
    if products.is_empty():
        return
    on_progress, embedded_rows = model.run_context.progress("embedding products", total=products.height), 0
    for part in products.iter_slices(_ROWS):
        embedded = model.product_vectors(part)  # (rows, dim)
        rows = part.select("key", "product_id", "locale", "title", "input_hash").to_arrow()
        yield rows.append_column("vector", to_vectors(embedded))
        embedded_rows += part.height
        on_progress(embedded_rows)
