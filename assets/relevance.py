"""Relevance: one model's product vectors beside its encoder, BM25, chance and the model before it, over judged queries."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from assets.query_slices import slices_of
from assets.texts import Matrix, TextVectors, product_texts, query_texts
from assets.workspace import Workspace
from models.checkpoint_files import read_file, read_manifest
from models.errors import ModelError
from models.evaluation import Evaluation, evaluate
from models.feature_encoder import FeatureSpec
from models.judgements import Catalogue, JudgedSet
from models.query_tower import ProductTower, QueryTower
from models.systems import Bm25System, DenseSystem, RandomSystem, System
from warehouse import dated, frames
from warehouse.lance import to_matrix
from warehouse.query_features import VOCABULARY_FILE, QueryFeatures

BASELINES = ("encoder", "bm25", "previous")
"""What a model's differences are told from, where it was measured."""


@dataclass(frozen=True)
class Subject:
    """Name what is measured: a model, a version of its vectors, and the snapshot that they were made from (None: newest).

    Without a version the products are embedded anew. `previous` is the model to measure beside it.
    """

    model_id: str
    vector_version: int | None
    snapshot: int | None = None
    previous: str | None = None


def previous_model(workspace: Workspace, model_id: str) -> str | None:
    """Return the model of the newest release that has another one than this.

    None if there is none, it stands on another encoder, or its files are gone or of a format that this version cannot read.
    """
    others = [release for release in workspace.home.releases.all() if release.model_id != model_id]
    if not others or others[-1].encoder_fingerprint != TextVectors(workspace).fingerprint:
        return None
    before = others[-1].model_id
    try:
        manifest = read_manifest(workspace.home.models / before)
    except ModelError:
        return None
    return before if VOCABULARY_FILE in manifest.get("files_sha256", {}) else None


def measure(workspace: Workspace, subject: Subject, judgements: pl.DataFrame, *, cached: bool) -> Evaluation:
    """Score the subject and its baselines on judged pairs of products in its catalogue.

    Args:
        workspace: where the vectors are.
        subject: what to measure.
        judgements: locale, query_id, query (cleaned), product_id and label.
        cached: whether the queries' texts are in the embedding cache; else they are encoded and not kept.
    """
    products = frames.products(workspace.home.lake, subject.snapshot).sort("locale", "product_id")
    catalogue = Catalogue(products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(judgements, catalogue)
    vectors, texts = TextVectors(workspace), product_texts(products)
    of_queries: Callable[[list[str]], Matrix] = vectors.cached if cached else vectors.encoded
    queries = judged.queries.with_columns(key=pl.format("{}:{}", "locale", "query_id"))
    query_base, product_base = of_queries(query_texts(queries)), vectors.cached(texts)
    features = _query_features(workspace, subject.model_id, queries, subject.snapshot)

    def embedded(model_id: str, asked: pl.DataFrame) -> DenseSystem:
        query_side = _query_vectors(workspace, model_id, query_base, asked)
        return DenseSystem(query_side, embedded_vectors(workspace, model_id, product_base, products))

    if subject.vector_version is None:
        model = embedded(subject.model_id, features)
    else:
        of_products = stored_vectors(workspace, subject, products)
        model = DenseSystem(_query_vectors(workspace, subject.model_id, query_base, features), of_products)
    systems: dict[str, System] = {
        "model": model,
        "encoder": DenseSystem(query_base, product_base),
        "bm25": Bm25System.build(texts, catalogue, workspace.bm25),
        "random": RandomSystem(workspace.training.seed),
    }
    if subject.previous is not None:
        asked = _query_features(workspace, subject.previous, queries, subject.snapshot)
        systems["previous"] = embedded(subject.previous, asked)
    slices = slices_of(features, judgements, products, _vocabulary(workspace, subject.model_id))
    return replace(evaluate(judged, catalogue, systems), slices=slices)


def stored_vectors(workspace: Workspace, subject: Subject, products: pl.DataFrame) -> Matrix:
    """Return the vectors that searchers see, in the order of the products: (products, dim)."""
    table = workspace.home.vectors.read(subject.model_id, subject.vector_version, ["key", "vector"])
    places = pl.DataFrame({"key": pl.Series(table["key"])}).with_row_index("place")
    order = products.select("key").join(places, on="key", how="left", maintain_order="left")["place"]
    vectors: Matrix = to_matrix(table["vector"])[order.to_numpy()]
    return vectors


def embedded_vectors(workspace: Workspace, model_id: str, base: Matrix, products: pl.DataFrame) -> Matrix:
    """Return what a model's product tower makes of products as they now are, given their texts' vectors: (products, dim)."""
    tower = ProductTower.load(workspace.home.models / model_id)
    return tower(base, _read_by(tower.features.spec, products))


def _query_vectors(workspace: Workspace, model_id: str, base: Matrix, features: pl.DataFrame) -> Matrix:
    tower = QueryTower.load(workspace.home.models / model_id)
    return tower(base, _read_by(tower.features.spec, features))


def _query_features(
    workspace: Workspace, model_id: str, queries: pl.DataFrame, snapshot: int | None = None
) -> pl.DataFrame:
    features = QueryFeatures(_vocabulary(workspace, model_id))(queries)
    with workspace.home.lake.reading(snapshot) as connection:
        return dated.add_asked_features(connection, features, queries["key"].to_list())


def _vocabulary(workspace: Workspace, model_id: str) -> pl.DataFrame:
    directory = workspace.home.models / model_id
    return pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE))


def _read_by(spec: FeatureSpec, features: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that a tower reads; a dated feature that is declared no more is missing in every row."""
    missing = [pl.lit(None).alias(name) for name in spec.columns if name not in features.columns]
    return features.with_columns(missing).select(spec.columns)
