"""The int8 check: the int8 encoder fills no cache before its recall is known to match f32."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.run_context import RunContext
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from models.encoder.fingerprint import resolve_precision
from models.errors import ModelError
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.promotion_gate import compare_recall
from models.evaluation.rankers import DenseRanker
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets
from warehouse.lake import tables

_ALONE_TEXTS = 64

Int8Measurement = dict[str, Any]
"""recall@10 in int8 and in f32, their difference, the numbers of queries and products, and `inputs`, a digest."""


def check_int8(run_context: RunContext) -> Int8Measurement | None:
    """Return the recall that int8 loses against f32 on validation queries, or None if the encoder does not run in int8.

    The search covers `int8_products` products: the judged ones of these queries, and others drawn by the seed. Each encoder
    is measured once per set of validation pairs; the result is stored next to the encoder.

    Raises:
        ModelError: The loss is above the setting, nothing could be measured, or a vector depends on its batch.
    """
    settings = run_context.encoder
    if resolve_precision(settings) != "int8":
        return None
    record = run_context.home.encoders / f"{TextVectors(run_context).fingerprint}.int8.json"
    inputs = _inputs(run_context)
    measurement = _read_record(record, inputs) or _measure(run_context) | {"inputs": inputs}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(measurement, indent=2) + "\n", encoding="utf-8")
    hint = "set STOCKROOM_ENCODER__PRECISION=auto"
    if not measurement["queries"]:
        raise ModelError("int8 cannot be measured: no validation query has an Exact product", hint)
    if measurement["int8_loss"] > settings.int8_loss:
        raise ModelError(
            f"int8 finds less than f32: recall@10 {measurement['int8_recall_at_10']:.4f} against "
            f"{measurement['f32_recall_at_10']:.4f} on {measurement['queries']:,} validation queries among "
            f"{measurement['products']:,} products, a loss of {measurement['int8_loss']:.4f}, "
            f"and {settings.int8_loss:g} is allowed",
            f"{hint}, or allow more with STOCKROOM_ENCODER__INT8_LOSS",
        )
    return measurement


def _read_record(record: Path, inputs: str) -> Int8Measurement | None:
    if not record.is_file():
        return None
    measurement: Int8Measurement = json.loads(record.read_text(encoding="utf-8"))
    return measurement if measurement["inputs"] == inputs else None


def _inputs(run_context: RunContext) -> str:
    with run_context.home.lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], "split = 'validation'")
    return digest(pairs, str(run_context.encoder.int8_products), str(run_context.training.seed))


def _measure(run_context: RunContext) -> Int8Measurement:
    """Search with both precisions for every validation query."""
    judgements = datasets.validation_judgements(run_context.home.lake)
    products = _catalog(run_context, judgements)
    catalog = Catalog(products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(judgements, catalog)
    queries, texts = query_texts(judged.queries), product_texts(products)
    rankers = {}
    for precision in ("int8", "f32"):
        encoder = run_context.encoder.model_copy(update={"precision": precision})
        vectors = TextVectors(replace(run_context, encoder=encoder))
        vectors.fill(queries + texts, partial(run_context.progress, f"measuring {precision}"))
        rankers[precision] = DenseRanker(vectors.cached(queries), vectors.cached(texts))
        if precision == "int8":
            _refuse_batch_dependence(vectors, texts[:: max(1, len(texts) // _ALONE_TEXTS)])
    comparison = compare_recall(judged, catalog, rankers["int8"], rankers["f32"], seed=run_context.training.seed)
    int8, f32 = comparison.challenger, comparison.baseline
    return {
        "int8_recall_at_10": int8,
        "f32_recall_at_10": f32,
        "int8_loss": None if int8 is None or f32 is None else f32 - int8,
        "queries": comparison.queries,
        "products": products.height,
    }


def _catalog(run_context: RunContext, judgements: pl.DataFrame) -> pl.DataFrame:
    """Return the products to search: the judged ones, and random ones up to `int8_products`."""
    products = datasets.products(run_context.home.lake).sort("locale", "product_id")
    is_judged = products["key"].is_in(judgements["product_key"].implode())
    missing = max(0, run_context.encoder.int8_products - int(is_judged.sum()))
    others = np.flatnonzero(~is_judged.to_numpy())
    sample = np.random.default_rng(run_context.training.seed).choice(others, min(missing, len(others)), replace=False)
    return products[np.sort(np.concatenate([np.flatnonzero(is_judged.to_numpy()), sample]))]


def _refuse_batch_dependence(vectors: TextVectors, texts: list[str]) -> None:
    """Refuse an encoder whose vector of a text depends on the other texts, which int8 on this CPU may do."""
    single_vectors = np.concatenate([vectors.encoded([text]) for text in texts])
    if not np.array_equal(single_vectors, vectors.cached(texts)):
        raise ModelError(
            "int8 on this CPU gives a text a vector that depends on the other texts in its batch",
            "set STOCKROOM_ENCODER__PRECISION=auto",
        )
