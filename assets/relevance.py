"""Relevance: one model's stored vectors beside its encoder, BM25 and chance, over judged queries."""

from dataclasses import dataclass

import polars as pl

from assets.serving import ServingModel
from assets.texts import Matrix, product_texts, query_texts
from assets.workspace import Workspace
from models.evaluation import Evaluation, evaluate
from models.judgements import Catalogue, JudgedSet
from models.systems import Bm25System, DenseSystem, RandomSystem, System
from warehouse import frames
from warehouse.lance import to_matrix


@dataclass(frozen=True)
class Subject:
    """Name what is measured: a model, a version of its vector table, and the snapshot that this was made from (None: newest)."""

    model_id: str
    vector_table: str
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
    model = ServingModel(workspace, subject.model_id)
    queries = asked(judged)
    query_base = (model.text_vectors if cached else model.texts.encoded)(query_texts(queries))
    query_vectors = model.query_vectors(queries, query_base, subject.snapshot)
    texts = product_texts(products)
    return {
        "model": DenseSystem(query_vectors, stored_vectors(workspace, subject, products)),
        "encoder": DenseSystem(query_base, model.text_vectors(texts)),
        "bm25": Bm25System.build(texts, catalogue, workspace.bm25),
        "random": RandomSystem(workspace.training.seed),
    }


def asked(judged: JudgedSet) -> pl.DataFrame:
    """Return the judged queries with their key in the lake."""
    return judged.queries.with_columns(key=pl.format("{}:{}", "locale", "query_id"))


def stored_vectors(workspace: Workspace, subject: Subject, products: pl.DataFrame) -> Matrix:
    """Return the vectors that searchers see, in the order of the products: (products, dim)."""
    table = workspace.home.vectors.read(subject.vector_table, subject.vector_version, ["key", "vector"])
    places = pl.DataFrame({"key": pl.Series(table["key"])}).with_row_index("place")
    order = products.select("key").join(places, on="key", how="left", maintain_order="left")["place"]
    vectors: Matrix = to_matrix(table["vector"])[order.to_numpy()]
    return vectors
