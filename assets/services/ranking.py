"""Ranking: the id, the training and the use of the ranker that orders the candidates of a search."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.run_context import RunContext
from assets.services.candidate_search import Found, SearchedCatalog, grades, search_candidates, with_query_keys
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import Matrix
from assets.services.vector_refresh import stored_vectors
from models.errors import ModelError
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker, ListRanker
from models.labels import EXACT
from models.ranking import ranker_files
from models.ranking.candidates import RELATIVE
from models.ranking.choice import Choice, choose, quality, unjudged
from models.ranking.forest import Forest
from models.ranking.lambdamart import train_forest
from models.ranking.ordering import METHODS, Ordering
from models.ranking.ranker_files import WORDS_FILE, StoredRanker
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets, word_counts
from warehouse.features.pair_features import NAMES
from warehouse.lake import tables
from warehouse.lake.sql_tree import sql_digest

_FORMAT = "6"  # raised when candidates, features or training change, so that rankers are trained again
_READ = ("staging.products", "staging.queries", "features.queries", "fitted.words", "training.pairs")


def ranker_name(run_context: RunContext) -> str:
    """Return the id of the ranker for the current lake, model and settings; the pinned one if the run pins a model."""
    if run_context.pinned_model is not None:
        return run_context.pinned_ranker
    with run_context.home.lake.reading() as connection:
        versions = [tables.fingerprint(connection, CONTRACTS[table]) for table in _READ]
    settings = run_context.ranking.model_dump_json(), str(run_context.training.seed)
    rules = str(run_context.release.min_queries), str(run_context.release.gate_margin)
    pairs = sql_digest(tables.sql("features.pairs"))
    return digest(model_name(run_context), *versions, *settings, *rules, pairs, _FORMAT)


def ensure_ranker(run_context: RunContext, ranker_id: str, model: ServingModel, vectors: Matrix | None = None) -> bool:
    """Train and save the ranker of a model, unless it exists; tell whether it is new.

    Args:
        run_context: The run.
        ranker_id: The ranker's id.
        model: The model.
        vectors: The product tower's vectors, sorted by locale and product id: (products, dim); None: those of its table.
    """
    home = run_context.home
    if not ranker_id or _is_whole(home.rankers / ranker_id):
        return False
    products = datasets.products(home.lake).sort("locale", "product_id")
    if vectors is None:
        vectors = stored_vectors(run_context, model.vector_table, home.vectors.version(model.vector_table), products)
    words = word_counts.word_counts(home.lake)
    catalog = Catalog(products.select("locale", "product_id"))
    searched = SearchedCatalog(catalog, vectors, home.texts.version(), words, run_context.ranking.candidates)
    choice, importances, corrects_spelling = _train(run_context, model, searched)
    frozen = BytesIO()
    words.write_parquet(frozen)
    ranker_files.save(
        home.rankers / ranker_id,
        choice,
        (*NAMES, *RELATIVE),
        searched.per_leg,
        {"model": model.model_id, "importances": importances, "corrects_spelling": corrects_spelling},
        {WORDS_FILE: frozen.getvalue()},
    )
    return True


def _is_whole(directory: Path) -> bool:
    """Tell whether a ranker exists and none of its files is damaged."""
    try:
        content = ranker_files.read_ranker(directory)
        for name in content["files_sha256"]:
            ranker_files.read_frozen(directory, content, name)
    except ModelError:
        return False
    return True


def _train(
    run_context: RunContext, model: ServingModel, searched: SearchedCatalog
) -> tuple[Choice, dict[str, float], bool]:
    """Train the trees on train queries; choose the ordering, and whether spelling is corrected, on validation queries."""
    settings, seed = run_context.ranking, run_context.training.seed
    methods = METHODS if settings.method == "auto" else (settings.method,)
    forest: Forest | None = None
    importances: dict[str, float] = {}
    if "learned" in methods:
        forest, importances = _trees(run_context, model, searched)
    judgements = datasets.validation_judgements(run_context.home.lake)
    if judgements.is_empty():
        return Choice(unjudged(methods), "there is no validation query", (), 0), importances, False
    judged, found = _search(run_context, model, searched, judgements)
    is_exact = grades(judged, found) == EXACT
    totals = np.diff(judged.exact_offsets)
    choice = choose(
        found.candidates,
        is_exact,
        totals,
        forest,
        margin=run_context.release.gate_margin,
        min_queries=run_context.release.min_queries,
        seed=seed,
        methods=methods,
    )
    spelled = replace(searched, corrects_spelling=True)
    _, corrected = _search(run_context, model, spelled, judgements)
    is_better = _recall(choice, corrected, judged) > _recall(choice, found, judged)
    return choice, importances, is_better


def _recall(choice: Choice, found: Found, judged: JudgedSet) -> float:
    """Return the mean recall@10 of an ordering on validation queries; 0 where they are too few to judge."""
    if not choice.trials:
        return 0.0
    exact, totals = grades(judged, found) == EXACT, np.diff(judged.exact_offsets)
    return float(quality(choice.ordering(found.candidates), found.candidates, exact, totals).recall_at_10.mean())


def _trees(
    run_context: RunContext, model: ServingModel, searched: SearchedCatalog
) -> tuple[Forest | None, dict[str, float]]:
    """Train the trees on train queries that have an Exact product; None if there are none."""
    judgements, seed = datasets.train_judgements(run_context.home.lake), run_context.training.seed
    queries = judgements.filter(label="E").select("query_key").unique().sort("query_key")
    if queries.is_empty():
        return None, {}
    drawn = queries.sample(min(run_context.ranking.queries, queries.height), seed=seed)
    judged, found = _search(run_context, model, searched, judgements.join(drawn, on="query_key", how="semi"))
    candidates, codes = found.candidates, grades(judged, found)
    rows = candidates.found
    sizes = np.bincount(candidates.queries[rows], minlength=len(judged))
    trained = train_forest(
        candidates.learned_from[rows],
        codes[rows],
        sizes[sizes > 0].tolist(),
        (*NAMES, *RELATIVE),
        run_context.ranking,
        seed,
    )
    return trained.forest, trained.importances


def _search(
    run_context: RunContext, model: ServingModel, searched: SearchedCatalog, judgements: pl.DataFrame
) -> tuple[JudgedSet, Found]:
    judged = JudgedSet.from_frame(judgements, searched.catalog)
    return judged, search_candidates(run_context, model, searched, judged, model.query_vectors(with_query_keys(judged)))


def search_as(
    run_context: RunContext,
    ranker: StoredRanker,
    model: ServingModel,
    catalog: Catalog,
    judged: JudgedSet,
    dense: DenseRanker,
    text_version: int,
    snapshot: int | None = None,
) -> Found:
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
    searched = SearchedCatalog(
        catalog, dense.product_vectors, text_version, ranker.words, ranker.per_leg, ranker.corrects_spelling
    )
    return search_candidates(run_context, model, searched, judged, dense.query_vectors, snapshot)


def ranked(found: Found, ordering: Ordering, rest: DenseRanker | None = None) -> ListRanker:
    """Return the candidates in the order that a search shows; `rest` orders the products beyond them."""
    candidates = found.candidates
    return ListRanker(candidates.offsets, found.rows, ordering(candidates), candidates.found, rest)


def text_leg(found: Found) -> ListRanker:
    """Return what the text leg alone finds, in its order."""
    return ListRanker(found.candidates.offsets, found.rows, Ordering("text")(found.candidates), found.by_text)


def ranker_facts(run_context: RunContext, ranker_id: str) -> dict[str, Any]:
    """Return what a run reports about a ranker: method, weight, reason, trials and importances; only no method without one."""
    if not ranker_id:
        return {"method": "vector", "importances": {}}
    content = ranker_files.read_ranker(run_context.home.rankers / ranker_id)
    return {
        name: content[name]
        for name in ("method", "weight", "weights", "corrects_spelling", "reason", "trials", "importances")
    }
