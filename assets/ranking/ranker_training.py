"""Ranker training: the id and the training of the ranker that orders the candidates of a search."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.ranking.candidate_search import Retrieved, SearchedCatalog, grades, search_candidates, with_query_keys
from assets.run_context import RunContext
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import Matrix
from assets.services.vector_refresh import stored_vectors
from models.errors import ModelError
from models.evaluation.judged_set import Catalog, JudgedSet
from models.labels import EXACT
from models.ranking import ranker_files
from models.ranking.candidates import COMPUTED
from models.ranking.choice import Choice, choose, quality, unjudged
from models.ranking.forest import Forest
from models.ranking.lambdamart import train_forest
from models.ranking.ordering import METHODS
from models.ranking.ranker_files import SPELLINGS_FILE, TRANSLATIONS_FILE, WORDS_FILE
from models.ranking.translation import Translations, learn
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets, feature_views, word_counts
from warehouse.features.pair_features import NAMES
from warehouse.lake import tables
from warehouse.lake.sql_tree import sql_digest
from warehouse.search.ranked_attributes import ranked_names
from warehouse.search.spelling import Spelling
from warehouse.transform.text_cleaning import words_of

_FORMAT = "7"  # raised when candidates, features or training change, so that rankers are trained again
_TRANSLATION_FOLDS = 5
_READ = ("staging.products", "staging.queries", "features.queries", "fitted.words", "training.pairs")


def ranker_name(run_context: RunContext) -> str:
    """Return the id of the ranker for the current lake, model and settings; the pinned one if the run pins a model."""
    if run_context.pinned_model is not None:
        return run_context.pinned_ranker
    settings = run_context.ranking.model_dump_json(), str(run_context.training.seed)
    rules = str(run_context.release.min_queries), str(run_context.release.gate_margin)
    model_id = model_name(run_context)
    name = f"ranker by {digest(model_id, *settings, *rules)}"
    return run_context.cached_at_snapshot(name, lambda: _ranker_of_the_lake(run_context, model_id, *settings, *rules))


def _ranker_of_the_lake(run_context: RunContext, model_id: str, *settings: str) -> str:
    with run_context.home.lake.reading() as connection:
        versions = [tables.fingerprint(connection, CONTRACTS[table]) for table in _READ]
        versions += feature_views.static_fingerprints(connection, "rank")
    pairs = sql_digest(tables.sql("features.pairs")), *ranked_names(run_context.home.feature_views)
    return digest(model_id, *versions, *settings, *pairs, _FORMAT)


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
    drawn = _drawn(run_context)
    pairs = _exact_pairs(run_context, drawn)
    translations, spellings = learn(pairs), word_counts.spellings(home.lake)
    searched = SearchedCatalog(
        catalog,
        vectors,
        home.texts.version(),
        words,
        run_context.ranking.candidates,
        Translations(translations),
        attributes=ranked_names(home.feature_views),
    )
    choice, importances, corrects_spelling = _train(
        run_context, model, searched, Spelling(words, spellings), drawn, pairs
    )
    ranker_files.save(
        home.rankers / ranker_id,
        choice,
        (*NAMES, *searched.attributes, *COMPUTED),
        searched.per_leg,
        {"model": model.model_id, "importances": importances, "corrects_spelling": corrects_spelling},
        {
            WORDS_FILE: _parquet(words),
            SPELLINGS_FILE: _parquet(spellings),
            TRANSLATIONS_FILE: _parquet(translations),
        },
    )
    return True


def _parquet(rows: pl.DataFrame) -> bytes:
    file = BytesIO()
    rows.write_parquet(file)
    return file.getvalue()


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
    run_context: RunContext,
    model: ServingModel,
    searched: SearchedCatalog,
    spelling: Spelling,
    drawn: pl.DataFrame,
    pairs: pl.DataFrame,
) -> tuple[Choice, dict[str, float], bool]:
    """Train the trees on train queries; choose the ordering, and whether spelling is corrected, on validation queries."""
    settings, seed = run_context.ranking, run_context.training.seed
    methods = METHODS if settings.method == "auto" else (settings.method,)
    forest: Forest | None = None
    importances: dict[str, float] = {}
    if "learned" in methods:
        forest, importances = _trees(run_context, model, searched, drawn, pairs)
    judgements = datasets.validation_judgements(run_context.home.lake)
    if judgements.is_empty():
        return Choice(unjudged(methods), "there is no validation query", (), 0), importances, False
    judged, retrieved = _search(run_context, model, searched, judgements)
    is_exact = grades(judged, retrieved) == EXACT
    totals = np.diff(judged.exact_offsets)
    choice = choose(
        retrieved.candidates,
        is_exact,
        totals,
        forest,
        margin=run_context.release.gate_margin,
        min_queries=run_context.release.min_queries,
        seed=seed,
        methods=methods,
    )
    misspelled = judgements.filter(_is_corrected(judgements, spelling))
    if not choice.trials or misspelled.filter(label="E").is_empty():
        return choice, importances, False
    recall, corrected_recall = (
        _recall(choice, *_search(run_context, model, each, misspelled))
        for each in (searched, replace(searched, spelling=spelling))
    )
    return choice, importances, corrected_recall > recall


def _is_corrected(judgements: pl.DataFrame, spelling: Spelling) -> pl.Series:
    """Tell for each judgement whether spelling correction changes its query."""
    queries = judgements.select("locale", "query").unique().with_columns(words=words_of("query"))
    rows = queries.select("query", "words", "locale").iter_rows()
    is_corrected = [bool(spelling.corrections(query, words.split(), locale)) for query, words, locale in rows]
    return judgements.join(
        queries.with_columns(is_corrected=pl.Series(is_corrected, dtype=pl.Boolean)),
        on=["locale", "query"],
        maintain_order="left",
    )["is_corrected"]


def _recall(choice: Choice, judged: JudgedSet, retrieved: Retrieved) -> float:
    """Return the mean recall@10 of an ordering on queries of which one has an Exact product."""
    exact, totals = grades(judged, retrieved) == EXACT, np.diff(judged.exact_offsets)
    return float(
        quality(choice.ordering(retrieved.candidates), retrieved.candidates, exact, totals).recall_at_10.mean()
    )


def _drawn(run_context: RunContext) -> pl.DataFrame:
    """Return the judgements of some train queries with an Exact product, and `fold`, the same for all of one text."""
    judgements, seed = datasets.train_judgements(run_context.home.lake), run_context.training.seed
    queries = judgements.filter(label="E").select("query_key").unique().sort("query_key")
    drawn = queries.sample(min(run_context.ranking.queries, queries.height), seed=seed)
    text = pl.struct("locale", "query").rank("dense")
    return judgements.join(drawn, on="query_key", how="semi").with_columns(fold=text % _TRANSLATION_FOLDS)


def _exact_pairs(run_context: RunContext, judgements: pl.DataFrame) -> pl.DataFrame:
    """Return what translations are learned from: locale, query, query_words, title_words and the fold of Exact judgements."""
    texts = run_context.home.texts.read(run_context.home.texts.version()).select("title_words", product_key="key")
    exact = judgements.filter(label="E").join(texts, on="product_key", maintain_order="left")
    return exact.select("locale", "fold", "title_words", query="query_key", query_words=words_of("query"))


def _trees(
    run_context: RunContext, model: ServingModel, searched: SearchedCatalog, drawn: pl.DataFrame, pairs: pl.DataFrame
) -> tuple[Forest | None, dict[str, float]]:
    """Train the trees on train queries; None if there are none.

    A query's likelihoods come from the translations of the other folds: on its own pairs they are too good to be true.
    """
    rows, codes, sizes = [], [], []
    for fold in drawn["fold"].unique().sort():
        others = Translations(learn(pairs.filter(pl.col("fold") != fold)))
        judged, retrieved = _search(
            run_context, model, replace(searched, translations=others), drawn.filter(pl.col("fold") == fold)
        )
        is_retrieved = retrieved.candidates.is_retrieved
        rows.append(retrieved.candidates.learned_from[is_retrieved])
        codes.append(grades(judged, retrieved)[is_retrieved])
        sizes.append(np.bincount(retrieved.candidates.queries[is_retrieved], minlength=len(judged)))
    if not rows:
        return None, {}
    counts = np.concatenate(sizes)
    trained = train_forest(
        np.concatenate(rows),
        np.concatenate(codes),
        counts[counts > 0].tolist(),
        (*NAMES, *searched.attributes, *COMPUTED),
        run_context.ranking,
        run_context.training.seed,
    )
    return trained.forest, trained.importances


def _search(
    run_context: RunContext, model: ServingModel, searched: SearchedCatalog, judgements: pl.DataFrame
) -> tuple[JudgedSet, Retrieved]:
    judged = JudgedSet.from_frame(judgements, searched.catalog)
    return judged, search_candidates(run_context, model, searched, judged, model.query_vectors(with_query_keys(judged)))


def ranker_facts(run_context: RunContext, ranker_id: str) -> dict[str, Any]:
    """Return what a run reports about a ranker: method, weight, reason, trials and importances; only no method without one."""
    if not ranker_id:
        return {"method": "vector", "importances": {}}
    content = ranker_files.read_ranker(run_context.home.rankers / ranker_id)
    return {
        name: content[name]
        for name in ("method", "weight", "weights", "corrects_spelling", "reason", "trials", "importances")
    }
