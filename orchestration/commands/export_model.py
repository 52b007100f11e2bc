"""The export: the live release's model as a folder that stock sentence-transformers loads, with a model card."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import product_texts, query_texts
from models.errors import ModelError
from models.evaluation.evaluate import evaluate, summarize
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker
from models.export.model_card import model_card
from models.towers.checkpoint_files import read_manifest
from models.towers.numpy_inference import ProductTower, QueryTower, ServingTower, Side
from orchestration.commands.evaluate.live import live_release
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.paths import require_writable
from warehouse.serving.release_log import Release

_COMPARED_TEXTS = 32
FACTS_FILE = "stockroom.json"


@dataclass(frozen=True)
class ExportReport:
    """Report where the export is and how exact it is.

    `largest_difference` is the largest difference of a vector component between export and towers, both in f32, over the
    compared texts. `relevance` holds the test split's metrics of export, model and encoder; None if nothing is judged.
    """

    directory: str
    release: int
    model: str
    size_mb: float
    texts_compared: int
    largest_difference: float
    relevance: dict[str, Any] | None


def export_release(run_context: RunContext, directory: Path, *, force: bool = False) -> ExportReport:
    """Write the live release's encoder and towers to a folder, which appears whole or not at all.

    Stock modules cannot compute features, so the export encodes the text alone: the features' mean contribution over the
    release's rows replaces them. The model card gives the measured cost.

    Args:
        run_context: The home, and the settings of its encoder.
        directory: The folder to write.
        force: Replace an existing folder.

    Raises:
        WarehouseError: There is no release, it was made with another encoder, or the folder exists and is not empty, or
            cannot be written.
        ModelError: The export does not give the towers' vectors.
    """
    release = live_release(run_context)
    target = directory.absolute()
    require_writable(target.parent, "give another folder")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())) and not force:
        raise WarehouseError(f"{directory} already exists", "give another folder, or replace the folder with --force")
    if target.is_dir():
        require_writable(target, "give another folder")
    checkpoint = run_context.home.models / release.model_id
    products = datasets.products(run_context.home.lake, release.snapshot).sort("locale", "product_id")
    queries = datasets.queries(run_context.home.lake, release.snapshot)
    towers: dict[Side, ServingTower] = {
        "query": QueryTower.load(checkpoint).without_features(queries),
        "product": ProductTower.load(checkpoint).without_features(products),
    }
    texts: dict[Side, list[str]] = {
        "query": query_texts(queries.head(_COMPARED_TEXTS)),
        "product": product_texts(products.head(_COMPARED_TEXTS)),
    }
    relevance = _relevance(ServingModel(run_context, release.model_id), release, products, towers)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        largest = _write(run_context, scratch / "new", checkpoint, towers, texts)
        facts = {
            **_facts(run_context, release, products),
            "relevance": relevance,
            "features": {
                side: list(tower.features.spec.columns) for side, tower in towers.items() if tower.constant is not None
            },
            "largest_difference": largest,
            "texts_compared": sum(map(len, texts.values())),
        }
        (scratch / "new" / "README.md").write_text(model_card(facts), encoding="utf-8")
        (scratch / "new" / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(scratch / "old")
        (scratch / "new").rename(target)
    finally:
        shutil.rmtree(scratch)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return ExportReport(
        directory=str(directory),
        release=release.release,
        model=release.model_id,
        size_mb=round(size / 1e6, 1),
        texts_compared=facts["texts_compared"],
        largest_difference=largest,
        relevance=relevance,
    )


def _write(
    run_context: RunContext,
    folder: Path,
    checkpoint: Path,
    towers: dict[Side, ServingTower],
    texts: dict[Side, list[str]],
) -> float:
    """Write the folder, load it as a user would, and return the largest difference from the towers' vectors."""
    from models.encoder.torch_backend import TorchEncoder
    from models.export.sentence_transformer import TOLERANCE, encode_side, load_export, save_sentence_transformer

    f32 = run_context.encoder.model_copy(update={"backend": "torch", "device": "cpu", "precision": "auto"})
    save_sentence_transformer(folder, checkpoint, f32, towers["query"], towers["product"])
    folder.chmod(0o755)
    encoder, stock = TorchEncoder(f32), load_export(folder)
    differences = [
        np.abs(encode_side(stock, side_texts, side) - towers[side](encoder.encode(side_texts))).max(initial=0.0)
        for side, side_texts in texts.items()
    ]
    largest = float(max(differences))
    if not largest <= TOLERANCE:
        raise ModelError(
            f"the export's vectors differ from the towers' by up to {largest:.1e}, and {TOLERANCE:.0e} is allowed",
            "nothing was written; report the name of the encoder to the makers of Stockroom",
        )
    return largest


def _relevance(
    serving: ServingModel, release: Release, products: pl.DataFrame, towers: dict[Side, ServingTower]
) -> dict[str, Any] | None:
    """Measure the model, its export and its encoder on the test split; None if nothing is judged."""
    judgements = datasets.task1_judgements(serving.run_context.home.lake, release.snapshot)
    if judgements.is_empty():
        return None
    catalog = Catalog(products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(judgements, catalog)
    queries = judged.queries.with_columns(key=pl.format("{}:{}", "locale", "query_id"))
    query_vectors = serving.text_vectors(query_texts(queries))
    product_vectors = serving.text_vectors(product_texts(products))
    rankers = {
        "model": DenseRanker(
            serving.query_vectors(queries, query_vectors, release.snapshot), serving.product_vectors(products)
        ),
        "export": DenseRanker(towers["query"](query_vectors), towers["product"](product_vectors)),
        "encoder": DenseRanker(query_vectors, product_vectors),
    }
    metrics: dict[str, Any] = summarize(evaluate(judged, catalog, rankers))["rankers"]
    return metrics


def _facts(run_context: RunContext, release: Release, products: pl.DataFrame) -> dict[str, Any]:
    manifest = read_manifest(run_context.home.models / release.model_id)
    pairs = datasets.training_pairs(run_context.home.lake, release.snapshot)
    return {
        "release": release.release,
        "model": release.model_id,
        "snapshot": manifest["metadata"]["snapshot"],
        "training_pairs": manifest["metadata"]["training_pairs"],
        "encoder": {
            "model": run_context.encoder.model,
            "fingerprint": release.encoder_fingerprint,
            "max_tokens": run_context.encoder.max_tokens,
        },
        "data": {
            "products": products.height,
            "locales": dict(products["locale"].value_counts(sort=True).iter_rows()),
            "pairs": pairs.height,
            "queries": pairs["query_key"].n_unique(),
        },
        "training": {
            "mode": manifest["towers"]["mode"],
            "epochs": len(manifest["metadata"]["history"]) - 1,
            "best_epoch": manifest["best_epoch"],
            "alpha": manifest["alpha"],
            "seed": manifest["metadata"]["seed"],
            "notes": manifest["notes"],
        },
    }
