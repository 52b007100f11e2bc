"""The text embeddings: the frozen encoder's vector of every distinct text of catalog and queries."""

from functools import partial

import dagster as dg

from assets.core.steps import asset
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.run_context import RunContext
from assets.services.int8_check import check_int8
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from warehouse.code_digest import digest
from warehouse.features import datasets
from warehouse.vectors.embedding_cache import text_hash

_READ = ("staging.products", "staging.queries")


@asset(
    key=asset_key("embeddings.texts"),
    deps=[asset_key("features.products"), asset_key("features.queries"), asset_key("training.pairs")],
    group_name="embeddings",
    kinds={"openvino", "lancedb"},
    metadata=outside_schema(
        {"key": ("string", "MD5 of the exact text"), "vector": ("float32[dim]", "vector of the text by the encoder")}
    ),
    description="One vector per distinct text, cached by encoder and text: no text is ever encoded twice.",
)
def embeddings_texts(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult:
    """Encode the texts that are not cached; with a pinned model, only those that changed since the release."""
    lake, pinned_model = run_context.home.lake, run_context.pinned_model
    model = ServingModel.of(run_context, pinned_model) if pinned_model else None
    vectors = model.texts if model else TextVectors(run_context)
    product_keys = query_keys = None
    if model and not run_context.reembed_all:
        product_keys, query_keys = model.changed("product"), model.changed("query")
    products = datasets.products(lake, keys=product_keys)
    texts = product_texts(products) + query_texts(datasets.queries(lake, keys=query_keys))
    rows_before = run_context.home.embeddings.count(vectors.fingerprint)
    int8 = None if pinned_model else check_int8(run_context)
    fill_result = vectors.fill(texts, partial(run_context.progress, "encoding texts"))
    versions = [run_context.watermarks.state.data_version(table) for table in _READ]
    rows = run_context.home.embeddings.count(vectors.fingerprint)
    return result(
        context,
        run_context,
        "embeddings.texts",
        digest(vectors.fingerprint, *versions),
        {
            "dagster/row_count": rows,
            "encoder": vectors.fingerprint,
            **first_rows(("key", "text"), [(text_hash(text), text) for text in texts[:5]]),
        },
        {"texts": fill_result.distinct, "texts_encoded": rows - rows_before, **({"int8": int8} if int8 else {})},
    )
