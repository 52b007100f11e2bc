"""Ranked search: the search of a catalog with a ranker, for every judged query, as an evaluation makes it."""

from assets.ranking.candidate_search import Retrieved, SearchedCatalog, search_candidates
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker, ListRanker
from models.ranking.ordering import Ordering
from models.ranking.ranker_files import StoredRanker
from warehouse.search.spelling import Spelling


def search_as(
    run_context: RunContext,
    ranker: StoredRanker,
    model: ServingModel,
    catalog: Catalog,
    judged: JudgedSet,
    dense: DenseRanker,
    text_version: int,
    snapshot: int | None = None,
) -> Retrieved:
    """Search the catalog for every judged query as a search with this model and ranker does.

    Args:
        run_context: The run, whose home holds the text index.
        ranker: The ranker.
        model: The model.
        catalog: The products.
        judged: The queries.
        dense: The model's vectors of queries and products.
        text_version: The version of the text index.
        snapshot: The snapshot of the queries' features; None: the newest.
    """
    spelling = Spelling(ranker.words, ranker.spellings) if ranker.corrects_spelling else None
    searched = SearchedCatalog(
        catalog,
        dense.product_vectors,
        text_version,
        ranker.words,
        ranker.per_leg,
        ranker.translations,
        spelling,
        ranker.attributes,
    )
    return search_candidates(run_context, model, searched, judged, dense.query_vectors, snapshot)


def ranked(retrieved: Retrieved, ordering: Ordering, rest: DenseRanker | None = None) -> ListRanker:
    """Return the candidates in the order that a search shows; `rest` orders the products beyond them."""
    candidates = retrieved.candidates
    return ListRanker(candidates.offsets, retrieved.rows, ordering(candidates), candidates.is_retrieved, rest)


def text_leg(retrieved: Retrieved) -> ListRanker:
    """Return what the text leg alone finds, in its order."""
    return ListRanker(
        retrieved.candidates.offsets, retrieved.rows, Ordering("text")(retrieved.candidates), retrieved.by_text
    )
