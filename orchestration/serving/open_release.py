"""An open release: the encoder, tower, ranker and rules of a release, and the two legs that find candidates in its tables."""

import itertools
import re
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from models.encoder.loading import Encoder, load_encoder
from models.encoder.openvino_backend import OpenVinoEncoder
from models.encoder.text_template import query_text
from models.encoder.unknown_tokens import UNREADABLE_SHARE
from models.ranking.ordering import Ordering
from models.settings import EncoderSettings
from models.towers.checkpoint_files import read_file, read_manifest
from models.towers.numpy_inference import QueryTower
from orchestration.serving.candidate_ranker import CandidateRanker
from orchestration.serving.encoder_index import EncoderIndex
from orchestration.serving.hits import Hit, explanation_of, hit_of
from orchestration.serving.rule_application import SearchRules, best_features
from warehouse.contracts.locales import normalized_key
from warehouse.errors import WarehouseError
from warehouse.features import point_in_time
from warehouse.features.query_features import KNOWN_AT_SEARCH, VOCABULARY_FILE, QueryFeatures
from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.transform.words import query_amounts, query_words_by_locale

_QUERY_SCHEMA = dict.fromkeys(KNOWN_AT_SEARCH, pl.String)
Vector = npt.NDArray[np.float32]

Mode = Literal["ranked", "vector", "text", "encoder"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""The ways to search: both legs ordered by the release's ranker, one leg alone, or the encoder without the towers."""


class OpenRelease:
    """Hold the parts of one release that a search needs, and find its products. Threads may share it.

    Raises:
        WarehouseError: A part of the release was deleted.
        ModelError: The model or the ranker is damaged.
    """

    def __init__(
        self,
        home: Home,
        release: Release,
        settings: EncoderSettings,
        threads: ThreadPoolExecutor,
        *,
        in_memory: bool,
        before: "OpenRelease | None" = None,
    ) -> None:
        """Open the parts of a release, some beside each other.

        Args:
            home: The home of the release.
            release: The release.
            settings: The encoder's settings, for a release whose encoder was not exported.
            threads: Run the parts that are opened beside each other, and the legs of searches.
            in_memory: Whether vectors and words of a small catalog are read into memory.
            before: An open release, whose encoder is shared if it is the same.
        """
        self.home, self.release, self._threads = home, release, threads
        self.by_encoder = EncoderIndex(home, release)
        directory, rules = home.models / release.model_id, threads.submit(SearchRules, home, release)
        read: list[Future[object]] = []
        if in_memory:
            read.append(threads.submit(home.vectors.open, release.vector_table, release.vector_version))
        self.encoder = _open_encoder(home, release, settings, before)
        self._tower = QueryTower.load(directory)
        self._features = QueryFeatures(pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE)))
        rows = partial(home.online.rows, "product", release.snapshot)
        self.ranker = CandidateRanker(home.rankers / release.ranker_id, rows) if release.ranker_id else None
        if release.text_version and not home.texts.has(release.text_version):
            raise WarehouseError(
                f"version {release.text_version} of the text index, which release {release.release} searches, is gone",
                "go back to the release before: stockroom rollback; or publish a new one: stockroom build",
            )
        if in_memory and release.text_version:
            read.append(threads.submit(home.texts.open, release.text_version))
        for each in read:
            each.result()
        self.rules = rules.result()

    def words(self, ranker: CandidateRanker, text: str, locale: str | None) -> dict[str, list[str]]:
        """Return the words of a query by locale, corrected where the ranker does so."""
        by_locale, locales = {}, [locale] if locale is not None else ranker.locales
        for each, words in zip(locales, query_words_by_locale(text, locales), strict=True):
            by_locale[each] = ranker.spelling.corrected(text, words, each) if ranker.spelling is not None else words
        return by_locale

    def corrections(self, ranker: CandidateRanker, text: str, locale: str | None) -> dict[str, str]:
        """Return the words of a query that the catalog does not know, and the words that are searched for instead.

        Words are in lower case and without accents.
        """
        replaced: dict[str, str] = {}
        if ranker.spelling is not None:
            locales = [locale] if locale is not None else ranker.locales
            for each, words in zip(locales, query_words_by_locale(text, locales), strict=True):
                replaced |= ranker.spelling.corrections(text, words, each)
        return replaced

    def named_by(self, query: str, locale: str | None) -> list[str]:
        """Return the keys of the products whose key, or id in any case, is the whole query; none for a query without a digit."""
        if self.ranker is None or not re.fullmatch(r"\S*\d\S*", query):
            return []
        locales = [locale] if locale is not None else self.ranker.locales
        keys = [f"{each}:{name}" for each in locales for name in dict.fromkeys((query, query.upper(), query.lower()))]
        if ":" in query and locale in (None, normalized_key(query).split(":")[0]):
            keys.append(normalized_key(query))
        found = set(self.home.texts.rows(self.release.text_version, keys)["key"])
        return [key for key in keys if key in found]

    def features_of(self, text: str, locale: str | None, context: str | None, at: datetime | None) -> pl.DataFrame:
        """Return the query tower's features of one cleaned query."""
        features = self._features(pl.DataFrame([("query", locale, text)], schema=_QUERY_SCHEMA, orient="row"))
        if set(self._tower.features.spec.columns) <= set(features.columns):
            # No time-series features: the lake need not be opened.
            if context is not None or at is not None:
                raise WarehouseError(
                    f"release {self.release.release} reads no time-series features of queries or contexts",
                    "search without context and time, or declare feature views, then build",
                )
            return features
        with self.home.lake.reading(self.release.snapshot) as connection:
            if context is not None:
                point_in_time.check_context(connection, context)
            key = point_in_time.known_query(connection, text, locale)
            return point_in_time.add_search_features(connection, features, [key], context, at)

    def unknown_share(self, text: str) -> float:
        """Return the share of a cleaned query's tokens that the encoder does not know, 0 to 1."""
        return float(self.encoder.unknown_shares([query_text(text)])[0])

    def vector(self, text: str, features: Future[pl.DataFrame]) -> Vector:
        """Return the vector of a cleaned query with its features: (dim,)."""
        vector: Vector = self._tower(self.encoded(text)[None], features.result())[0]
        return vector

    def encoded(self, text: str) -> Vector:
        """Return the encoder's own vector of a cleaned query: (dim,)."""
        vector: Vector = self.encoder.encode([query_text(text)])[0]
        return vector

    def words_of_nearest(self, nearest: pl.DataFrame, candidates: int) -> pl.DataFrame:
        """Return the columns of the text index of the first candidates."""
        return self.home.texts.rows(self.release.text_version, nearest["key"].head(candidates).to_list())

    def by_text(
        self, ranker: CandidateRanker, wordings: list[dict[str, list[str]]], locale: str | None, among: set[str] | None
    ) -> pl.DataFrame:
        """Return the products that the text leg finds: the columns of the text index."""
        every_word = list(dict.fromkeys(word for words in wordings for each in words.values() for word in each))
        return self.home.texts.search(self.release.text_version, every_word, ranker.per_leg, locale, among)

    def nearest(self, vector: Vector, k: int, locale: str | None, among: set[str] | None) -> pl.DataFrame:
        """Return the `k` nearest products: rank, key, product_id, locale, title, score; none only where a filter left none."""
        store, name, version = self.home.vectors, self.release.vector_table, self.release.vector_version
        if among is not None:
            return store.search_among(name, version, vector, k, among)
        matches = store.search(name, version, vector, k, locale)
        if matches.is_empty():
            raise WarehouseError(
                f"release {self.release.release} has no products" + (f" of locale {locale!r}" if locale else ""),
                "publish some: stockroom build",
            )
        return matches

    def ranked(
        self,
        ranker: CandidateRanker,
        query_rows: list[pl.DataFrame],
        legs: "LegHits",
        vector: Vector,
        k: int,
        mode: Mode,
        explain: bool,
    ) -> list[Hit]:
        """Return the candidates of both legs in the ranker's order, then further products by vector."""
        release, nearest, by_text = self.release, legs.nearest, legs.by_text
        if nearest.is_empty():
            return []
        by_vector = nearest["key"].head(ranker.per_leg).to_list()
        known, cosines = set(by_text["key"]), dict(nearest.select("key", "score").iter_rows())
        missing = [key for key in by_text["key"] if key not in cosines]
        more_cosines = self._threads.submit(
            self.home.vectors.cosines, release.vector_table, release.vector_version, vector, missing
        )
        others = legs.words_of_nearest.filter(~pl.col("key").is_in(by_text["key"].implode()))
        products = pl.concat([by_text, others]).sort("product_id", "key")
        features = best_features([ranker.features(each, products) for each in query_rows])
        cosines |= more_cosines.result()
        products = products.with_columns(cosine=pl.Series([cosines[key] for key in products["key"]], dtype=pl.Float64))
        is_readable = self.unknown_share(query_rows[0]["query"][0]) <= UNREADABLE_SHARE
        by_mode = Ordering("text") if mode == "text" else None
        scored = ranker.ordered(query_rows[0], products, features, by_mode, is_readable=is_readable)
        rows = zip(scored.products.iter_rows(named=True), scored.features.iter_rows(named=True), strict=True)
        hits: list[Hit] = []
        for row, own in itertools.islice(rows, k):
            explanation = explanation_of(row, own, set(by_vector), known) if explain else None
            hits.append(hit_of(len(hits) + 1, row, row["score"], explanation))
        if len(hits) < k and mode == "ranked":
            ranked, lowest = set(products["key"]), hits[-1].score
            rest = nearest.filter(~pl.col("key").is_in(ranked)).head(k - len(hits))
            for row in rest.iter_rows(named=True):  # a cosine is at most 1
                hits.append(hit_of(len(hits) + 1, row, lowest - 2 + row["score"]))
        return hits


class LegHits(NamedTuple):
    """Hold what the legs found.

    Attributes:
        by_text: The columns of the text index, of the products that the text leg found.
        nearest: rank, key, product_id, locale, title and score of the products that the vector leg found.
        words_of_nearest: The columns of the text index, of the candidates among them.
    """

    by_text: pl.DataFrame
    nearest: pl.DataFrame
    words_of_nearest: pl.DataFrame


def query_rows_of(text: str, words: dict[str, list[str]], features: pl.DataFrame) -> pl.DataFrame:
    """Return the query's columns of `pair_features.QUERY_COLUMNS`, one row a locale."""
    return pl.DataFrame(
        {
            "key": list(words),
            "locale": list(words),
            "query": text,
            "words": [" ".join(each) for each in words.values()],
            "amounts": query_amounts(text),
            "query_brand": pl.Series([features["query_brand"][0]] * len(words), dtype=pl.String),
            "query_color": pl.Series([features["query_color"][0]] * len(words), dtype=pl.String),
        }
    )


def _open_encoder(home: Home, release: Release, settings: EncoderSettings, before: OpenRelease | None) -> Encoder:
    """Return the release's encoder: the open one, else the exported one, else the one that the settings name."""
    if before is not None and before.release.encoder_fingerprint == release.encoder_fingerprint:
        return before.encoder
    folder = home.encoders / release.encoder_fingerprint
    if folder.is_dir():
        return OpenVinoEncoder(folder, batch_texts=1, threads=settings.threads)
    encoder = load_encoder(settings, home.encoders)
    if encoder.fingerprint != release.encoder_fingerprint:
        raise WarehouseError(
            f"release {release.release} was made with encoder {release.encoder_fingerprint}, "
            f"the settings name {encoder.fingerprint}",
            "set encoder.model to the encoder of the release, or build a release with the new encoder",
        )
    return encoder
