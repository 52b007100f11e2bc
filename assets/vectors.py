"""The product vectors: the catalogue through the product tower, reconciled row by row."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.lineage import lineage_metadata
from assets.model import feature_spec, model_name
from assets.tables import asset_key, digest, first_rows, outside_schema, result
from assets.texts import TextVectors, product_texts
from assets.workspace import Workspace
from models.checkpoint_files import read_manifest
from models.query_tower import ProductTower
from models.text import product_text
from warehouse import frames
from warehouse.lance import to_vectors
from warehouse.reconcile import plan
from warehouse.vectors import VectorWrite

_SHOWN = ("key", "title", "input_hash")
_ROWS = 50_000  # products embedded at a time: 150 MB at 384 dimensions


@dg.asset(
    key=asset_key("vectors.products"),
    deps=[asset_key("model.two_tower"), *map(asset_key, ("features.products", "registry.dated", "embeddings.texts"))],
    group_name="vectors",
    kinds={"lancedb"},
    metadata=outside_schema(
        {
            "key": ("string", "locale:product_id"),
            "product_id": ("string", "the catalogue's id"),
            "locale": ("string", "marketplace"),
            "title": ("string", "the cleaned title, shown with a hit"),
            "vector": ("float32[dim]", "what the product tower makes of text and features, of length 1"),
            "input_hash": ("string", "hash of the text and the features that the vector was made from"),
        }
    ),
    description="One vector per product, made by the product tower of one model; one table a model.",
)
def vectors_products(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Embed the products whose text or features are new to this model; take out those that left the catalogue."""
    model_id = model_name(workspace)
    products = with_input_hash(frames.products(workspace.home.lake))
    written = embed(workspace, model_id, products)
    store = workspace.home.vectors
    version = store.refresh_index(model_id) if products.height else 0
    return result(
        context,
        workspace,
        "vectors.products",
        digest(model_id, *products["input_hash"]),
        {
            "dagster/row_count": products.height,
            "table_version": version,
            **lineage_metadata("vectors.products", workspace.home.dated),
            **first_rows(_SHOWN, products.select(_SHOWN).head(5).iter_rows()),
        },
        {"upserted": written.upserted, "deleted": written.deleted},
    )


def with_input_hash(products: pl.DataFrame) -> pl.DataFrame:
    """Add input_hash: what a product's vector is made from, its text and its features, besides the model."""
    inputs = pl.concat_str(product_text(), "feature_hash", separator="\x1f")
    return products.with_columns(input_hash=inputs.map_elements(digest, return_dtype=pl.String))


def embed(workspace: Workspace, model_id: str, products: pl.DataFrame) -> VectorWrite:
    """Reconcile the model's vector table with the products."""
    change = plan(products, workspace.home.vectors.current(model_id))
    fresh = products.join(change.upsert, on="key", how="semi", maintain_order="left")
    dim = read_manifest(workspace.home.models / model_id)["dim"]
    rows = _rows(workspace, model_id, fresh)
    return workspace.home.vectors.apply(model_id, rows, change.delete["key"].to_list(), dim)


def _rows(workspace: Workspace, model_id: str, products: pl.DataFrame) -> Iterator[pa.Table]:
    if products.is_empty():
        return
    vectors, tower = TextVectors(workspace), ProductTower.load(workspace.home.models / model_id)
    columns = feature_spec("features.products", workspace.home.dated).columns
    on_progress, done = workspace.progress("embedding products", total=products.height), 0
    for part in products.iter_slices(_ROWS):
        embedded = tower(vectors.cached(product_texts(part)), part.select(columns))  # (rows, dim)
        rows = part.select("key", "product_id", "locale", "title", "input_hash").to_arrow()
        yield rows.append_column("vector", to_vectors(embedded))
        done += part.height
        on_progress(done)
