"""Relevance: one model's stored vectors beside its encoder, BM25 and chance, over judged queries."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from assets.texts import Matrix, TextVectors, product_texts, query_texts
from assets.workspace import Workspace
from models.checkpoint_files import read_file, read_manifest
from models.evaluation import Evaluation, evaluate
from models.judgements import Catalogue, JudgedSet
from models.query_tower import QueryTower
from models.systems import Bm25System, DenseSystem, RandomSystem, System
from warehouse import dated, frames
from warehouse.lance import to_matrix
from warehouse.query_features import VOCABULARY_FILE, QueryFeatures


@dataclass(frozen=True)
class Subject:
    """Name what is measured: a model, a version of its vectors, and the snapshot that they were made from (None: newest)."""

    model_id: str
    vector_version: int
    snapshot: int | None = None


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
    return evaluate(judged, catalogue, _systems(workspace, subject, products, catalogue, judged, cached))


def _systems(
    workspace: Workspace,
    subject: Subject,
    products: pl.DataFrame,
    catalogue: Catalogue,
    judged: JudgedSet,
    cached: bool,
) -> dict[str, System]:
    vectors = TextVectors(workspace)
    of_queries: Callable[[list[str]], Matrix] = vectors.cached if cached else vectors.encoded
    queries = judged.queries.with_columns(key=pl.format("{}:{}", "locale", "query_id"))
    query_base = of_queries(query_texts(queries))
    directory = workspace.home.models / subject.model_id
    vocabulary = pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE))
    features = QueryFeatures(vocabulary)(queries)
    with workspace.home.lake.reading(subject.snapshot) as connection:
        features = dated.add_asked_features(connection, features, queries["key"].to_list())
    tower = QueryTower.load(directory)
    texts = product_texts(products)
    return {
        "model": DenseSystem(tower(query_base, features), stored_vectors(workspace, subject, products)),
        "encoder": DenseSystem(query_base, vectors.cached(texts)),
        "bm25": Bm25System.build(texts, catalogue, workspace.bm25),
        "random": RandomSystem(workspace.training.seed),
    }


def stored_vectors(workspace: Workspace, subject: Subject, products: pl.DataFrame) -> Matrix:
    """Return the vectors that searchers see, in the order of the products: (products, dim)."""
    table = workspace.home.vectors.read(subject.model_id, subject.vector_version, ["key", "vector"])
    places = pl.DataFrame({"key": pl.Series(table["key"])}).with_row_index("place")
    order = products.select("key").join(places, on="key", how="left", maintain_order="left")["place"]
    vectors: Matrix = to_matrix(table["vector"])[order.to_numpy()]
    return vectors
