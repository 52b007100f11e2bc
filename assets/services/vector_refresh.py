"""Vector refresh: the rows of a vector table, reconciled with the catalog through the product tower."""

from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa

from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import Matrix
from warehouse.lake.reconcile import plan
from warehouse.vectors.lance_tables import to_matrix, to_vectors
from warehouse.vectors.product_vectors import Rows, VectorWrite

_ROWS = 50_000  # products embedded at a time: 150 MB at 384 dimensions


def embed(
    model: ServingModel, products: pl.DataFrame, keys: pl.DataFrame | None = None, *, reembed_all: bool = False
) -> tuple[VectorWrite, int]:
    """Make the model's vector table match the products; return the write and the table's version.

    A build also rebuilds the index if many rows are outside; an apply leaves that to a reindex.

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
    if vector_write.version and not model.run_context.pinned_model:
        with model.run_context.home.index_lock():
            store.refresh_index(model.vector_table, unindexed_share=model.run_context.release.max_unindexed_share)
    return vector_write, store.version(model.vector_table)


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


def stored_vectors(run_context: RunContext, name: str, version: int, products: pl.DataFrame) -> Matrix:
    """Return the vectors of a version of a vector table, in the order of the products: (products, dim)."""
    table = run_context.home.vectors.read(name, version, ["key", "vector"])
    positions = pl.DataFrame({"key": pl.Series(table["key"])}).with_row_index("position")
    order = products.select("key").join(positions, on="key", how="left", maintain_order="left")["position"]
    vectors: Matrix = to_matrix(table["vector"])[order.to_numpy()]
    return vectors
