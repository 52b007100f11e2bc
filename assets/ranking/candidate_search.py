"""Candidate search: what the two legs of a search find for judged queries, with the features that the ranker reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import Matrix, query_texts
from models.encoder.unknown_tokens import UNREADABLE_SHARE
from models.evaluation.judged_set import Catalog, JudgedSet
from models.ranking.candidates import Candidates
from models.ranking.translation import Translations
from warehouse.features.pair_features import NAMES, PRODUCT_COLUMNS, PairFeatures
from warehouse.search.ranked_attributes import from_lake
from warehouse.search.spelling import Spelling
from warehouse.transform.text_cleaning import amounts_of, words_of

_SCORES = 16_000_000  # cosines in memory at once: 64 MB
_QUERIES = 1_000  # whose pairs are in DuckDB at once


@dataclass(frozen=True)
class SearchedCatalog:
    """Hold a catalog as a search sees it.

    Attributes:
        catalog: the products, in the order of `vectors`.
        vectors: (products, dim) the product tower's vectors.
        text_version: the version of the text index.
        words: the weights of the words: locale, word, weight.
        per_leg: the number of products that each leg finds.
        translations: how likely a query is for a title in other words.
        spelling: what corrects words that the catalog does not know; None: nothing does.
        attributes: the features of the product that the ranker reads.
    """

    catalog: Catalog
    vectors: Matrix
    text_version: int
    words: pl.DataFrame
    per_leg: int
    translations: Translations
    spelling: Spelling | None = None
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retrieved:
    """Hold the candidates of queries.

    Attributes:
        candidates: the pairs.
        rows: the catalog row of each pair, ascending inside a query: (pairs,).
        by_text: whether the text leg found the product: (pairs,).
    """

    candidates: Candidates
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    by_text: np.ndarray[tuple[int], np.dtype[np.bool_]]


def with_query_keys(judged: JudgedSet) -> pl.DataFrame:
    """Return the judged queries with their lake key in the column `key`."""
    return judged.queries.with_columns(key=pl.format("{}:{}", "locale", "query_id"))


def search_candidates(
    run_context: RunContext,
    model: ServingModel,
    searched: SearchedCatalog,
    judged: JudgedSet,
    query_vectors: Matrix,
    snapshot: int | None = None,
) -> Retrieved:
    """Search the catalog for every judged query by both legs; add the judged products that neither finds.

    Args:
        run_context: The run, whose home holds the text index.
        model: The model of the vectors.
        searched: The catalog.
        judged: The queries.
        query_vectors: The query tower's vectors of the queries: (queries, dim).
        snapshot: The snapshot of the queries' features; None: the newest.
    """
    queries = judged.queries.select(
        pl.format("{}:{}", "locale", "query_id").alias("key"), "locale", "query"
    ).with_columns(words=words_of("query"), amounts=amounts_of("query"))
    if searched.spelling is not None:
        rows = queries.select("query", "words", "locale").iter_rows()
        words = [searched.spelling.corrected(query, words.split(), locale) for query, words, locale in rows]
        queries = queries.with_columns(words=pl.Series(map(" ".join, words), dtype=pl.String))
    by_vector = _nearest(searched, judged, query_vectors)
    worded = [(words.split(), locale) for words, locale in queries.select("words", "locale").iter_rows()]
    by_text = _rows_of(
        searched.catalog, run_context.home.texts.search_all(searched.text_version, worded, searched.per_leg)
    )
    pair_lists, retrieved_lists, in_text, offsets = [], [], [], [0]
    for query, legs in enumerate(zip(by_vector, by_text, strict=True)):
        hits = np.unique(np.concatenate(legs))
        own = judged.products[judged.offsets[query] : judged.offsets[query + 1]]
        union = np.union1d(hits, own)
        pair_lists.append(union)
        retrieved_lists.append(np.isin(union, hits, assume_unique=True))
        in_text.append(np.isin(union, legs[1]))
        offsets.append(offsets[-1] + len(union))
    pair_rows = np.concatenate(pair_lists).astype(np.int64)
    pair_queries = np.repeat(np.arange(len(judged)), np.diff(offsets))
    cosines = np.empty(len(pair_rows))
    for start in range(0, len(pair_rows), 65_536):
        part = slice(start, start + 65_536)
        cosines[part] = np.einsum("pd,pd->p", query_vectors[pair_queries[part]], searched.vectors[pair_rows[part]])
    named = model.query_features(queries.select("key", "locale", "query"), snapshot)
    queries = queries.join(named.select("key", "query_brand", "query_color"), on="key", maintain_order="left")
    keys = searched.catalog.products.select(key=pl.format("{}:{}", "locale", "product_id"))
    pairs = pl.DataFrame({"query_key": queries["key"][pair_queries], "product_key": keys["key"][pair_rows]})
    texts = run_context.home.texts.read(searched.text_version).select(PRODUCT_COLUMNS)
    texts = texts.join(pairs.select(key="product_key"), on="key", how="semi")
    features = _features(searched, queries, np.array(offsets), pairs, texts)
    features = np.column_stack([features, _attributes(run_context, searched, snapshot)[pair_rows]])
    likelihoods = _likelihoods(searched, queries, np.array(offsets), pairs, texts)
    locales = judged.queries["locale"].to_numpy().astype(np.str_)[pair_queries]
    readable = model.texts.encoder.unknown_shares(query_texts(judged.queries)) <= UNREADABLE_SHARE
    names = (*NAMES, *searched.attributes)
    candidates = Candidates(
        np.array(offsets), cosines, features, likelihoods, names, locales, readable, np.concatenate(retrieved_lists)
    )
    return Retrieved(candidates, pair_rows, np.concatenate(in_text))


def grades(judged: JudgedSet, retrieved: Retrieved) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Return the label code of each pair, that of Irrelevant where it was not judged: (pairs,)."""
    codes = np.zeros(len(retrieved.rows), np.int8)
    for query, start in enumerate(retrieved.candidates.offsets[:-1]):
        own = slice(judged.offsets[query], judged.offsets[query + 1])
        rows = retrieved.rows[start : retrieved.candidates.offsets[query + 1]]
        codes[start + np.searchsorted(rows, judged.products[own])] = judged.labels[own]
    return codes


def _nearest(searched: SearchedCatalog, judged: JudgedSet, query_vectors: Matrix) -> list[np.ndarray]:
    """Return the catalog rows of the nearest products of each query; those that tie with the last go by product id."""
    nearest = []
    for locale, queries in judged.slices.items():
        products = searched.catalog.slices[locale]
        vectors = searched.vectors[products]
        step = max(1, _SCORES // len(vectors))
        for start in range(queries.start, queries.stop, step):
            for scores in query_vectors[start : min(start + step, queries.stop)] @ vectors.T:
                count = min(searched.per_leg, len(scores))
                last = np.partition(scores, len(scores) - count)[len(scores) - count]
                above, ties = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
                nearest.append(products.start + np.concatenate([above, ties[: count - len(above)]]))
    return nearest


def _rows_of(catalog: Catalog, keys: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Return the catalog rows of the keys of each query."""
    places = catalog.products.select(pl.format("{}:{}", "locale", "product_id").alias("key")).with_row_index("row")
    listed = pl.DataFrame({"key": [key for each in keys for key in each]}, schema={"key": pl.String})
    rows = listed.join(places, on="key", how="left", maintain_order="left")["row"].to_numpy()
    ends = np.cumsum([len(each) for each in keys], dtype=np.int64)
    return [part.astype(np.int64) for part in np.split(rows, ends[:-1])]


def _attributes(run_context: RunContext, searched: SearchedCatalog, snapshot: int | None) -> np.ndarray:
    """Return the attributes of every product that the ranker reads: (products, attributes), NaN where there is no value."""
    products = searched.catalog.products
    if not searched.attributes:
        return np.empty((products.height, 0))
    keys = products.select(pl.format("{}:{}", "locale", "product_id"))[:, 0]
    with run_context.home.lake.reading(snapshot) as connection:
        return from_lake(connection, keys, searched.attributes).fill_null(np.nan).to_numpy()


def _features(
    searched: SearchedCatalog, queries: pl.DataFrame, offsets: np.ndarray, pairs: pl.DataFrame, texts: pl.DataFrame
) -> np.ndarray:
    """Return the pair features: (pairs, features), NaN where there is no value."""
    parts = [np.empty((0, len(NAMES)))]
    compute = PairFeatures(searched.words, threads=2)
    for start in range(0, queries.height, _QUERIES):
        stop = min(start + _QUERIES, queries.height)
        part = pairs[offsets[start] : offsets[stop]]
        products = texts.join(part.select(pl.col("product_key").alias("key")), on="key", how="semi")
        features = compute(part, queries[start:stop], products)
        parts.append(features.select(pl.all().cast(pl.Float64)).fill_null(np.nan).to_numpy())
    return np.concatenate(parts)


def _likelihoods(
    searched: SearchedCatalog, queries: pl.DataFrame, offsets: np.ndarray, pairs: pl.DataFrame, texts: pl.DataFrame
) -> np.ndarray:
    """Return the likelihood of each pair's query for its title: (pairs,)."""
    own = texts.select("title_words", product_key="key")
    titles = pairs.join(own, on="product_key", how="left", maintain_order="left")["title_words"].to_list()
    parts = [np.empty(0)]
    for query, (words, locale) in enumerate(queries.select("words", "locale").iter_rows()):
        listed = titles[offsets[query] : offsets[query + 1]]
        parts.append(searched.translations.likelihoods(words.split(), locale, listed))
    return np.concatenate(parts)
