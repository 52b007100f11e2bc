"""The text embeddings: every distinct text of catalogue and queries through the frozen encoder, once."""

from typing import Any

import dagster as dg

from assets.serving import ServingModel
from assets.tables import asset_key, digest, first_rows, outside_schema, result
from assets.texts import TextVectors, product_texts, query_texts
from assets.workspace import Workspace
from warehouse import frames
from warehouse.embeddings import text_hash


@dg.asset(
    key=asset_key("embeddings.texts"),
    deps=[asset_key("features.products"), asset_key("features.queries")],
    group_name="embeddings",
    kinds={"openvino", "lancedb"},
    metadata=outside_schema(
        {"key": ("string", "MD5 of the exact text"), "vector": ("float32[dim]", "what the encoder makes of the text")}
    ),
    description="One vector per distinct text, cached by encoder and text: no text is ever encoded twice.",
)
def embeddings_texts(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Encode the texts that the cache has not seen."""
    lake = workspace.home.lake
    texts = product_texts(frames.products(lake)) + query_texts(frames.queries(lake))
    held = workspace.held_model
    vectors = ServingModel(workspace, held).texts if held else TextVectors(workspace)
    filled = vectors.fill(texts, workspace.progress("encoding texts"))
    return result(
        context,
        workspace,
        "embeddings.texts",
        digest(vectors.fingerprint, *sorted(set(texts))),
        {
            "dagster/row_count": workspace.home.embeddings.count(vectors.fingerprint),
            "encoder": vectors.fingerprint,
            **first_rows(("key", "text"), [(text_hash(text), text) for text in texts[:5]]),
        },
        {"texts": filled.distinct, "texts_encoded": filled.encoded},
    )
