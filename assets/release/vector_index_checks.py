"""The index checks: rules that the product vectors must keep before a release may name them.

The checks read the newest version of each table that may be published: the new model's, and the live one's where the gate
may keep it live. A release that only has catalog changes passes these checks instead of the gate. They read a sample of
rows and texts that includes the newest, so their cost does not depend on the table's size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from assets.keys import asset_key
from assets.release.readiness import index_key
from assets.run_context import RunContext
from assets.services.live_model import live_champion
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import product_texts
from warehouse.lake.watermarks import Watermark
from warehouse.operations import index_health
from warehouse.operations.index_health import TableHealth
from warehouse.vectors.index_recall import Recall, index_recall
from warehouse.vectors.lance_tables import KEY, to_matrix
from warehouse.wording import named

_VECTORS = asset_key("vectors.products")
_SAME = 0.9999  # cosine: encoded on another machine, vectors differ by 1e-3 in a few components at most
_NAMED = 5
_HINT, _ADVICE = "stockroom replay computes every vector again", "stockroom reindex takes them in"

CHECKS = {
    "rows_are_those_of_the_catalog": "There are as many vectors as products.",
    "no_vector_of_a_deleted_product": "No sampled vector, and none of the products that the last deltas deleted, is of a product "
    "that the catalog no longer has.",
    "no_vector_of_another_model": "Sampled rows have the model's dimension, unit length, and the hash of the text and features "
    "that it reads.",
    "vectors_are_what_the_model_makes": "A sample of products, encoded again by encoder and tower, gives the stored vectors.",
    "the_index_covers_the_rows": "Few rows lie outside the index: a search finds them, but takes longer. A warning alone.",
    "the_index_finds_what_exact_search_finds": "The index finds the ten nearest products that an exact search of a part finds.",
}
"""The rule of each check, by its name."""

_ADVISORY = "the_index_covers_the_rows"
SPECS = [
    dg.AssetCheckSpec(name, asset=_VECTORS, description=description, blocking=name != _ADVISORY)
    for name, description in CHECKS.items()
]


@dataclass(frozen=True)
class _TableFindings:
    """Hold the measurements of one vector table; `foreign` and `differing` are keys."""

    table: TableHealth
    recall: Recall
    foreign: list[str]
    differing: list[str]


def index_checks(run_context: RunContext) -> Iterator[dg.AssetCheckResult]:
    """Measure the tables that the release may name, and yield the result of each check."""
    challenger = ServingModel.of(run_context, model_name(run_context))
    champion = live_champion(run_context, challenger.model_id)
    models = {model.vector_table: model for model in (champion, challenger) if model is not None}
    findings = {table: _look(run_context, model) for table, model in models.items()}
    has_failed: set[str] = set()
    for name in CHECKS:
        results = {table: _check_result(run_context, name, each) for table, each in findings.items()}
        failures = [f"{table}: {complaint}" for table, (complaint, _) in results.items() if complaint]
        yield dg.AssetCheckResult(
            asset_key=_VECTORS,
            check_name=name,
            passed=not failures,
            severity=dg.AssetCheckSeverity.WARN if name == _ADVISORY else dg.AssetCheckSeverity.ERROR,
            description=f"{'; '.join(failures)}; {_ADVICE if name == _ADVISORY else _HINT}" if failures else None,
            metadata={table: metadata for table, (_, metadata) in results.items()},
        )
        if name != _ADVISORY:
            has_failed |= {table for table, (complaint, _) in results.items() if complaint}
    progress = run_context.watermarks.progress
    for table in set(findings) - has_failed:
        version = str(run_context.home.vectors.version(table))
        if not progress.is_current(index_key(table), (), version):
            run_context.watermarks.settle({index_key(table): Watermark(progress.state.snapshot, version)})


def _look(run_context: RunContext, model: ServingModel) -> _TableFindings:
    home, settings = run_context.home, run_context.release
    store, name = home.vectors, model.vector_table
    seed = store.version(name)  # each version gets another sample
    sample = store.sample(name, settings.health_sample, seed)
    table = index_health.table_health(home, name, sample[KEY].to_pylist())
    recall = index_recall(store, name, seed=seed, queries=settings.health_sample)
    stored = pl.DataFrame({"key": sample[KEY].to_pylist(), "stored_hash": sample["input_hash"].to_pylist()})
    vectors = to_matrix(sample["vector"])  # (rows, dim)
    products = model.with_input_hash(index_health.products(home, table.sampled))
    stored_products = stored.with_row_index("place").join(products, on="key", maintain_order="left")
    stored_vectors = vectors[stored_products["place"].to_numpy()]
    is_foreign = (stored_products["stored_hash"] != stored_products["input_hash"]).to_numpy() | (
        abs(np.linalg.norm(stored_vectors, axis=1) - 1) > 1e-3
    )
    if vectors.shape[1] != model.dim:
        return _TableFindings(table, recall, table.sampled, table.sampled)
    texts = (
        model.texts.encoded(product_texts(stored_products)) if stored_products.height else np.empty((0, 0), np.float32)
    )
    recomputed = model.tower_vectors(texts, stored_products) if stored_products.height else stored_vectors
    is_other = np.einsum("rd,rd->r", recomputed, stored_vectors) < _SAME
    keys = stored_products["key"].to_numpy()
    return _TableFindings(table, recall, keys[is_foreign].tolist(), keys[is_other & ~is_foreign].tolist())


def _check_result(run_context: RunContext, name: str, findings: _TableFindings) -> tuple[str | None, dict[str, Any]]:
    """Return the fault that one check found (None if it passed), and its metadata."""
    table, recall, settings = findings.table, findings.recall, run_context.release
    sampled = {"sampled": len(table.sampled)}
    if name == "rows_are_those_of_the_catalog":
        wrong = table.rows != table.catalog_rows
        return (
            f"{table.rows:,} vectors for {table.catalog_rows:,} products" if wrong else None,
            {"rows": table.rows, "products": table.catalog_rows},
        )
    if name == "the_index_covers_the_rows":
        wrong = table.unindexed_share > settings.max_unindexed_share
        return (
            f"{table.unindexed_share:.1%} of the rows lie outside the index" if wrong else None,
            {"unindexed_share": table.unindexed_share},
        )
    if name == "the_index_finds_what_exact_search_finds":
        wrong = recall.is_surely_below(settings.min_recall)
        return (
            f"it found {recall.hits} of {recall.relevant}" if wrong else None,
            {"recall_at_10": recall.share, "found": recall.hits, "relevant": recall.relevant},
        )
    keys, fault = {
        "no_vector_of_a_deleted_product": (
            [*table.unknown, *(key for key in table.deleted if key not in table.unknown)],
            "of products that the catalog does not have",
        ),
        "no_vector_of_another_model": (findings.foreign, "not of this model"),
        "vectors_are_what_the_model_makes": (findings.differing, "other than the model makes them"),
    }[name]
    return (f"{_name_keys(keys)} {fault}" if keys else None, sampled | {"keys": keys[:_NAMED]})


def _name_keys(keys: list[str]) -> str:
    return f"{'vector' if len(keys) == 1 else 'vectors'} {named(keys, _NAMED)}"
