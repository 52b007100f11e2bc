"""The searcher: returns products for a query, from exactly one release. It needs neither Dagster nor torch."""

import copy
import itertools
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
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
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.candidate_ranker import CandidateRanker
from orchestration.serving.hits import Answer, Hit, explanation_of, hit_of, hits_of
from orchestration.serving.search_rules import QueryRules, SearchRules, best_features
from orchestration.serving.stages import Stages
from warehouse.contracts.locales import normalized_key, normalized_locale
from warehouse.errors import UnknownKeyError, WarehouseError
from warehouse.features import feature_views, point_in_time
from warehouse.features.query_features import KNOWN_AT_SEARCH, VOCABULARY_FILE, QueryFeatures
from warehouse.home import Home
from warehouse.search.facets import Facet, check_columns, count_facets
from warehouse.search.product_filter import ProductFilter
from warehouse.serving.release_log import Release
from warehouse.transform.text_cleaning import clean_text
from warehouse.transform.words import query_amounts, query_words_by_locale

_QUERY_SCHEMA = dict.fromkeys(KNOWN_AT_SEARCH, pl.String)
Vector = npt.NDArray[np.float32]

_FACETED = 60  # products that the facets of a search by vector alone count, or `k` if that is more
_LEGS_AT_ONCE = 16  # of the queries of several threads; a thread starts where none is idle
_MOST_CHARS = 2_000  # of a query: the encoder reads some hundred words, and the text index 64

Mode = Literal["ranked", "vector", "text"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""The ways to search: both legs ordered by the release's ranker, or one leg alone."""


class Searcher:
    """Answer queries from one release: the one that was live at opening or at the last refresh, or `release`.

    A searcher keeps its release whatever is published, rolled back or written meanwhile. Threads may share a searcher that
    nobody moves; `beside` opens another one for a new release. `home` is a path, opened with the
    settings that hold for it, the encoder's included, or an open home.

    With `in_memory` a catalog of up to 150,000 products is read into memory, vectors and words: a search then takes little more
    than half the time, and opening takes a second more for 100,000 products. For a single search that does not pay.

    Raises:
        WarehouseError: There is no release yet, or a part of the release was deleted.
        ModelError: The model or the ranker is damaged.
    """

    def __init__(
        self,
        home: Home | Path | str,
        encoder: EncoderSettings | None = None,
        release: Release | None = None,
        *,
        in_memory: bool = True,
    ) -> None:
        if not isinstance(home, Home):
            settings = load_settings(Path(home))
            home, encoder = open_home(settings), encoder or settings.encoder
        self._home = home
        self._settings = encoder or EncoderSettings()
        self._in_memory = in_memory
        self._threads = ThreadPoolExecutor(_LEGS_AT_ONCE, "search")  # the two legs at the same time
        if release is None:
            self.refresh()
        else:
            self.move_to(release)

    def refresh(self) -> Release:
        """Use the release that is live now, and return the release."""
        release = self._home.releases.require()
        self.move_to(release)
        return release

    def move_to(self, release: Release) -> None:
        """Answer from this release from now on, whether it is live or not."""
        directory, rules = self._home.models / release.model_id, self._threads.submit(SearchRules, self._home, release)
        vectors, texts = self._home.vectors, self._home.texts
        opened: list[Future[object]] = []
        if self._in_memory:
            opened.append(self._threads.submit(vectors.open, release.vector_table, release.vector_version))
        encoder, tower = self._open_encoder(release), QueryTower.load(directory)
        features = QueryFeatures(pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE)))
        rows = partial(self._home.online.rows, "product", release.snapshot)
        ranker = CandidateRanker(self._home.rankers / release.ranker_id, rows) if release.ranker_id else None
        if release.text_version and not texts.has(release.text_version):
            raise WarehouseError(
                f"version {release.text_version} of the text index, which release {release.release} searches, is gone",
                "go back to the release before: stockroom rollback; or publish a new one: stockroom build",
            )
        if self._in_memory and release.text_version:
            opened.append(self._threads.submit(texts.open, release.text_version))
        for each in opened:
            each.result()
        # set together: an error above leaves the searcher at its old release
        self.release, self._encoder, self._tower, self._features, self._ranker, self._rules = (
            release,
            encoder,
            tower,
            features,
            ranker,
            rules.result(),
        )

    def beside(self, release: Release) -> "Searcher":
        """Return a searcher of another release, which shares this one's open encoder if it can; this one stays as it is.

        Raises:
            WarehouseError: A part of the release was deleted.
            ModelError: The model or the ranker is damaged.
        """
        other = copy.copy(self)
        other.move_to(release)
        return other

    def search(
        self,
        query: str,
        k: int = 10,
        locale: str | None = None,
        *,
        where: str | None = None,
        context: str | None = None,
        at: datetime | None = None,
        mode: Mode = "ranked",
        explain: bool = False,
        fold: bool = True,
        rules: bool = True,
    ) -> list[Hit]:
        """Return the `k` best products for the query, best first; from all locales if `locale` is None.

        Both legs of the search find candidates, by vector and by words, and the release's ranker orders them. Products beyond
        the candidates follow by vector. A release without a ranker searches by vector alone. The search rules of the release
        then hide, move and pin products.

        Each time-series feature of the query and of its `context` has the latest value at time `at`, by default at the
        release's as-of time. Product vectors always use the as-of time.

        Args:
            query: The text, of which the first 2,000 characters count.
            k: Number of products, at least 1.
            locale: Only products of this locale, in any spelling: en-US, en_us.
            where: Only products that meet this condition, such as "brand = 'sony' AND title_price < 50".
            context: Key of the query's context.
            at: Time of the query.
            mode: `vector` or `text` to search by one leg alone.
            explain: Whether each hit tells how it got its place; a release without a ranker cannot tell.
            fold: Whether of the products of a locale with the same title only the best is shown.
            rules: Whether the search rules apply.

        Raises:
            WarehouseError: The cleaned query is empty, the locale has no products, the filter cannot be used, the context is
                unknown, or context or time are given and the model reads no features that they could change.
        """
        return self.answer(
            query, k, locale, where=where, context=context, at=at, mode=mode, explain=explain, fold=fold, rules=rules
        ).hits

    def answer(
        self,
        query: str,
        k: int = 10,
        locale: str | None = None,
        *,
        facets: Sequence[str] = (),
        values: int = 10,
        where: str | None = None,
        context: str | None = None,
        at: datetime | None = None,
        mode: Mode = "ranked",
        explain: bool = False,
        fold: bool = True,
        rules: bool = True,
    ) -> Answer:
        """Search as `search` does, and count the values of some columns among the products that the search found.

        Facets count every product that a leg found, equal titles included, before the best `k` are chosen; so a facet changes
        no hit. Each leg finds `ranking.candidates` products, and the vector leg more for a larger `k`.

        Args:
            query: The text, as in `search`; so are the other arguments.
            k: Number of products.
            locale: Only products of this locale.
            facets: Columns that a filter may name.
            values: Number of values to list for a text column, the most frequent ones.
            where: Only products that meet this condition.
            context: Key of the query's context.
            at: Time of the query.
            mode: The way to search.
            explain: Whether each hit tells how it got its place.
            fold: Whether of equal titles only the best is shown.
            rules: Whether the search rules apply.

        Raises:
            WarehouseError: A facet is no column of a product, or `search` would refuse the query.
        """
        facets, found, stages = self._check_facets(facets), set[str](), Stages()
        with stages.timed("words"):
            text = clean_text(query[:_MOST_CHARS])
            if text is None:
                raise WarehouseError("the query is blank", "give at least one word to search for")
            if mode == "text" and self._ranker is None:
                raise WarehouseError(
                    f"release {self.release.release} has no text index", "publish a release with one: stockroom build"
                )
            locale = self._known(locale)
            among, ranker = self._matching(where, locale), self._ranker if mode != "vector" else None
            words = self._words(ranker, text, locale) if ranker is not None else {}
            decided = self._rules.of(text, words, locale) if rules else QueryRules()
            among, wordings = decided.shown(among), decided.wordings(words)

        def by_text() -> pl.DataFrame | None:
            with stages.timed("text"):
                return self._by_text(ranker, wordings, locale, among) if ranker is not None else None

        def by_vector(limit: int) -> pl.DataFrame:
            with stages.timed("vector"):
                return self._nearest(vector, limit, locale, among)

        def by_vector_with_words(limit: int, candidates: int) -> tuple[pl.DataFrame, pl.DataFrame]:
            nearest = by_vector(limit)
            with stages.timed("vector"):
                keys = nearest["key"].head(candidates).to_list()
                return nearest, self._home.texts.rows(self.release.text_version, keys)

        features_leg = self._threads.submit(self._features_of, text, locale, context, at)
        text_leg = self._threads.submit(by_text)
        with stages.timed("encode"):
            encoded = self._encoder.encode([query_text(text)])
            features = features_leg.result()
            vector = self._tower(encoded, features)[0]  # (dim,)

        def first(limit: int) -> list[Hit]:
            if ranker is None:
                rows = by_vector(max(limit, _FACETED if facets else 0))
                found.update(rows["key"])
                return hits_of(rows.head(limit))
            candidates = ranker.per_leg if mode == "ranked" else 0
            vector_leg = self._threads.submit(by_vector_with_words, max(ranker.per_leg, limit), candidates)
            asked = [_asked(text, each, features) for each in wordings]
            found_by_text, (nearest, words_of_nearest) = text_leg.result(), vector_leg.result()
            if found_by_text is None:
                return []
            legs = _Found(found_by_text, nearest, words_of_nearest)
            found.update(legs.by_text["key"], legs.nearest["key"] if mode == "ranked" else ())
            with stages.timed("rank"):
                return self._ranked(ranker, asked, legs, vector, limit, mode, explain)

        hits = self._rules.arranged(decided, first, k, among, fold=fold, explain=explain)
        found -= decided.hidden.keys()
        with stages.timed("facets"):
            counted = self._facets(facets, found, values)
        return Answer(hits, counted, len(found), tuple(decided.notes()), stages.seconds)

    def similar(
        self, key: str, k: int = 10, locale: str | None = None, *, where: str | None = None, fold: bool = True
    ) -> list[Hit]:
        """Return the `k` products most like one of the release, best first; the score is the cosine of their vectors.

        Args:
            key: The product's key, such as us:B000123.
            k: Number of products, at least 1.
            locale: Only products of this locale; by default of the product's own.
            where: Only products that meet this condition.
            fold: Whether of the products of a locale with the same title only the best is shown.

        Raises:
            WarehouseError: The release has no such product, the locale has none, or the filter cannot be used.
        """
        key = normalized_key(key)
        vector = self._home.vectors.vector(self.release.vector_table, self.release.vector_version, key)
        if vector is None:
            raise UnknownKeyError(
                f"release {self.release.release} has no product {key!r}",
                "give the key as locale:product_id; stockroom lookup product KEY suggests near ones",
            )
        locale = self._known(locale) or key.split(":")[0]
        decided = self._rules.everywhere(locale)
        among = decided.shown(self._matching(where, locale))

        def first(limit: int) -> list[Hit]:
            hits = hits_of(self._nearest(vector, limit + 1, locale, among))
            return [replace(hit, rank=rank) for rank, hit in enumerate((hit for hit in hits if hit.key != key), 1)][
                :limit
            ]

        return self._rules.arranged(decided, first, k, among, fold=fold)

    def unknown_share(self, query: str) -> float:
        """Return the share of the query's tokens that the encoder does not know, 0 to 1.

        Above `UNREADABLE_SHARE` a ranked search orders by words alone.
        """
        text = clean_text(query[:_MOST_CHARS])
        return float(self._encoder.unknown_shares([query_text(text)])[0]) if text is not None else 0.0

    def corrections(self, query: str, locale: str | None = None) -> dict[str, str]:
        """Return the words of a query that a search replaces, since the catalog does not know them, and their replacements.

        Words are in lower case and without accents.
        """
        text, locale = clean_text(query[:_MOST_CHARS]), self._known(locale)
        if self._ranker is None or self._ranker.spelling is None or text is None:
            return {}
        locales = [locale] if locale is not None else self._ranker.locales
        replaced: dict[str, str] = {}
        for each, words in zip(locales, query_words_by_locale(text, locales), strict=True):
            replaced |= self._ranker.spelling.corrections(text, words, each)
        return replaced

    def _known(self, locale: str | None) -> str | None:
        """Return a locale in its normal form; None stays None.

        Raises:
            WarehouseError: The release has no product of the locale.
        """
        normal = normalized_locale(locale) if locale is not None else None
        if locale is None or (normal is not None and self._ranker is not None and normal in self._ranker.locales):
            return normal
        # The ranker knows the locales of the last build alone.
        with self._home.lake.reading(self.release.snapshot) as connection:
            rows = connection.execute("SELECT DISTINCT locale FROM features.products ORDER BY locale").fetchall()
        known = [str(each) for (each,) in rows]
        if normal not in known:
            raise WarehouseError(
                f"release {self.release.release} has no products of locale {locale!r}",
                f"it has {', '.join(known)}; or search without a locale",
            )
        return normal

    def _words(self, ranker: CandidateRanker, text: str, locale: str | None) -> dict[str, list[str]]:
        """Return the words of a query by locale, corrected where the ranker does so."""
        by_locale, locales = {}, [locale] if locale is not None else ranker.locales
        for each, words in zip(locales, query_words_by_locale(text, locales), strict=True):
            by_locale[each] = ranker.spelling.corrected(text, words, each) if ranker.spelling is not None else words
        return by_locale

    def _by_text(
        self, ranker: CandidateRanker, wordings: list[dict[str, list[str]]], locale: str | None, among: set[str] | None
    ) -> pl.DataFrame:
        """Return the products that the text leg finds: the columns of the text index."""
        every_word = list(dict.fromkeys(word for words in wordings for each in words.values() for word in each))
        return self._home.texts.search(self.release.text_version, every_word, ranker.per_leg, locale, among)

    def _matching(self, where: str | None, locale: str | None) -> set[str] | None:
        """Return the keys of the products that meet a filter, None without one."""
        if where is None:
            return None
        with self._home.lake.reading(self.release.snapshot) as connection:
            keys = ProductFilter.parse(where, feature_views.static_views(connection)).keys(connection)
        return {key for key in keys if locale is None or key.startswith(f"{locale}:")}

    def _facets(self, facets: Sequence[str], keys: set[str], values: int) -> tuple[Facet, ...]:
        """Return the facets of the products with these keys."""
        if not facets:
            return ()
        with self._home.lake.reading(self.release.snapshot) as connection:
            return count_facets(connection, keys, facets, values, feature_views.static_views(connection))

    def _check_facets(self, facets: Sequence[str]) -> tuple[str, ...]:
        if not facets:
            return ()
        with self._home.lake.reading(self.release.snapshot) as connection:
            return check_columns(facets, feature_views.static_views(connection))

    def _ranked(
        self,
        ranker: CandidateRanker,
        asked: list[pl.DataFrame],
        found: "_Found",
        vector: Vector,
        k: int,
        mode: Mode,
        explain: bool,
    ) -> list[Hit]:
        """Return the candidates of both legs in the ranker's order, then further products by vector."""
        release, nearest, by_text = self.release, found.nearest, found.by_text
        if nearest.is_empty():
            return []
        by_vector = nearest["key"].head(ranker.per_leg).to_list()
        known, cosines = set(by_text["key"]), dict(nearest.select("key", "score").iter_rows())
        missing = [key for key in by_text["key"] if key not in cosines]
        more_cosines = self._threads.submit(
            self._home.vectors.cosines, release.vector_table, release.vector_version, vector, missing
        )
        others = found.words_of_nearest.filter(~pl.col("key").is_in(by_text["key"].implode()))
        products = pl.concat([by_text, others]).sort("product_id", "key")
        features = best_features([ranker.features(each, products) for each in asked])
        cosines |= more_cosines.result()
        products = products.with_columns(cosine=pl.Series([cosines[key] for key in products["key"]], dtype=pl.Float64))
        is_readable = self.unknown_share(asked[0]["query"][0]) <= UNREADABLE_SHARE
        by_mode = Ordering("text") if mode == "text" else None
        scored = ranker.ordered(asked[0], products, features, by_mode, is_readable=is_readable)
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

    def _nearest(self, vector: Vector, k: int, locale: str | None, among: set[str] | None) -> pl.DataFrame:
        """Return the `k` nearest products: rank, key, product_id, locale, title, score; none only where a filter left none."""
        store, name, version = self._home.vectors, self.release.vector_table, self.release.vector_version
        if among is not None:
            return store.search_among(name, version, vector, k, among)
        matches = store.search(name, version, vector, k, locale)
        if matches.is_empty():
            raise WarehouseError(
                f"release {self.release.release} has no products" + (f" of locale {locale!r}" if locale else ""),
                "publish some: stockroom build",
            )
        return matches

    def _features_of(self, text: str, locale: str | None, context: str | None, at: datetime | None) -> pl.DataFrame:
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
        with self._home.lake.reading(self.release.snapshot) as connection:
            if context is not None:
                point_in_time.check_context(connection, context)
            key = point_in_time.known_query(connection, text, locale)
            return point_in_time.add_search_features(connection, features, [key], context, at)

    def _open_encoder(self, release: Release) -> Encoder:
        """Return the release's encoder: the open one, else the exported one, else the one that the settings name."""
        if hasattr(self, "release") and self.release.encoder_fingerprint == release.encoder_fingerprint:
            return self._encoder
        folder = self._home.encoders / release.encoder_fingerprint
        if folder.is_dir():
            return OpenVinoEncoder(folder, batch_texts=1, threads=self._settings.threads)
        encoder = load_encoder(self._settings, self._home.encoders)
        if encoder.fingerprint != release.encoder_fingerprint:
            raise WarehouseError(
                f"release {release.release} was made with encoder {release.encoder_fingerprint}, "
                f"the settings name {encoder.fingerprint}",
                "set encoder.model to the encoder of the release, or build a release with the new encoder",
            )
        return encoder


class _Found(NamedTuple):
    """Hold what the legs found.

    Attributes:
        by_text: The columns of the text index, of the products that the text leg found.
        nearest: rank, key, product_id, locale, title and score of the products that the vector leg found.
        words_of_nearest: The columns of the text index, of the candidates among them.
    """

    by_text: pl.DataFrame
    nearest: pl.DataFrame
    words_of_nearest: pl.DataFrame


def _asked(text: str, words: dict[str, list[str]], features: pl.DataFrame) -> pl.DataFrame:
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
