"""The searcher: returns products for a query, from exactly one release. It needs neither Dagster nor torch."""

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from models.settings import EncoderSettings
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.hits import Answer, Hit, hits_of
from orchestration.serving.open_release import LegHits, Mode, OpenRelease, query_rows_of
from orchestration.serving.rule_application import QueryRules
from orchestration.serving.shown_values import shown_columns, with_values
from orchestration.serving.stages import Stages
from warehouse.contracts.locales import normalized_key, normalized_locale
from warehouse.errors import UnknownKeyError, WarehouseError
from warehouse.features import feature_views
from warehouse.home import Home
from warehouse.search.facets import Facet, check_columns, count_facets
from warehouse.search.product_filter import ProductFilter
from warehouse.serving.release_log import Release
from warehouse.transform.text_cleaning import clean_text

_FACETED = 60  # products that the facets of a search by vector alone count, or `k` if that is more
_LEGS_AT_ONCE = 16  # of the queries of several threads; a thread starts where none is idle
_MOST_CHARS = 2_000  # of a query: the encoder reads some hundred words, and the text index 64


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
        self._open = self._opened(release or home.releases.require())

    def refresh(self) -> Release:
        """Use the release that is live now, and return the release."""
        release = self._home.releases.require()
        self.move_to(release)
        return release

    def move_to(self, release: Release) -> None:
        """Answer from this release from now on, whether it is live or not; after an error the searcher stays at its old one."""
        self._open = self._opened(release, self._open)

    @property
    def release(self) -> Release:
        """Return the release that answers."""
        return self._open.release

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
        show: Sequence[str] = (),
    ) -> list[Hit]:
        """Return the `k` best products for the query, best first; from all locales if `locale` is None.

        Both legs of the search find candidates, by vector and by words, and the release's ranker orders them. Products beyond
        the candidates follow by vector. A release without a ranker searches by vector alone. The search rules of the release
        then hide, move and pin products. A product whose id is the whole query comes first.

        Each time-series feature of the query and of its `context` has the latest value at time `at`, by default at the
        release's as-of time. Product vectors always use the as-of time.

        Args:
            query: The text, of which the first 2,000 characters count.
            k: Number of products, at least 1.
            locale: Only products of this locale, in any spelling: en-US, en_us.
            where: Only products that meet this condition, such as "brand = 'sony' AND title_price < 50".
            context: Key of the query's context.
            at: Time of the query.
            mode: `vector` or `text` to search by one leg alone, `encoder` to search by the encoder without the towers.
            explain: Whether each hit tells how it got its place; a release without a ranker cannot tell.
            fold: Whether of the products of a locale with the same title only the best is shown.
            rules: Whether the search rules apply.
            show: Columns whose values each hit shows, such as brand, or price of the attributes.

        Raises:
            WarehouseError: The cleaned query is empty, the locale has no products, the filter cannot be used, the context is
                unknown, or context or time are given and the model reads no features that they could change, or a
                column to show is none of a product.
        """
        return self.answer(
            query,
            k,
            locale,
            where=where,
            context=context,
            at=at,
            mode=mode,
            explain=explain,
            fold=fold,
            rules=rules,
            show=show,
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
        show: Sequence[str] = (),
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
            show: Columns whose values each hit shows.

        Raises:
            WarehouseError: A facet is no column of a product, or `search` would refuse the query.
        """
        opened, facets, found_keys, stages = self._open, self._check_facets(facets), set[str](), Stages()
        shown = shown_columns(self._home, opened.release, show)
        with stages.timed("words"):
            text = clean_text(query[:_MOST_CHARS])
            if text is None:
                raise WarehouseError("the query is blank", "give at least one word to search for")
            if mode == "text" and opened.ranker is None:
                raise WarehouseError(
                    f"release {opened.release.release} has no text index", "publish a release with one: stockroom build"
                )
            locale = self._known(locale)
            among, ranker = self._matching(where, locale), opened.ranker if mode in ("ranked", "text") else None
            words = opened.words(ranker, text, locale) if ranker is not None else {}
            decided = opened.rules.of(text, words, locale) if rules else QueryRules()
            named = opened.named_by(query.strip(), locale) if ranker is not None else []
            decided = decided.led_by(named) if named else decided
            among, wordings = decided.shown(among), decided.wordings(words)

        def by_text() -> pl.DataFrame | None:
            with stages.timed("text"):
                return opened.by_text(ranker, wordings, locale, among) if ranker is not None else None

        def by_vector(limit: int) -> pl.DataFrame:
            with stages.timed("vector"):
                nearest = opened.by_encoder.nearest if mode == "encoder" else opened.nearest
                return nearest(vector, limit, locale, among)

        def by_vector_with_words(limit: int, candidates: int) -> tuple[pl.DataFrame, pl.DataFrame]:
            nearest = by_vector(limit)
            with stages.timed("vector"):
                return nearest, opened.words_of_nearest(nearest, candidates)

        features_leg = self._threads.submit(opened.features_of, text, locale, context, at)
        text_leg = self._threads.submit(by_text)
        with stages.timed("encode"):
            vector = opened.encoded(text) if mode == "encoder" else opened.vector(text, features_leg)

        def first(limit: int) -> list[Hit]:
            if ranker is None:
                rows = by_vector(max(limit, _FACETED if facets else 0))
                found_keys.update(rows["key"])
                return hits_of(rows.head(limit))
            candidates = ranker.per_leg if mode == "ranked" else 0
            vector_leg = self._threads.submit(by_vector_with_words, max(ranker.per_leg, limit), candidates)
            query_rows = [query_rows_of(text, each, features_leg.result()) for each in wordings]
            found_by_text, (nearest, words_of_nearest) = text_leg.result(), vector_leg.result()
            if found_by_text is None:
                return []
            legs = LegHits(found_by_text, nearest, words_of_nearest)
            found_keys.update(legs.by_text["key"], legs.nearest["key"] if mode == "ranked" else ())
            with stages.timed("rank"):
                return opened.ranked(ranker, query_rows, legs, vector, limit, mode, explain)

        hits = opened.rules.arranged(decided, first, k, among, fold=fold, explain=explain)
        found_keys -= decided.hidden.keys()
        hits = with_values(self._home, opened.release, hits, shown)
        with stages.timed("facets"):
            counted = self._facets(facets, found_keys, values)
        corrections = opened.corrections(ranker, text, locale) if ranker is not None else {}
        found_by_text = text_leg.result()
        no_word_found = found_by_text is not None and found_by_text.is_empty() and not named
        notes = tuple(decided.notes())
        return Answer(hits, counted, len(found_keys), notes, corrections, no_word_found, stages.seconds)

    def similar(
        self,
        key: str,
        k: int = 10,
        locale: str | None = None,
        *,
        where: str | None = None,
        fold: bool = True,
        show: Sequence[str] = (),
    ) -> list[Hit]:
        """Return the `k` products most like one of the release, best first; the score is the cosine of their vectors.

        Args:
            key: The product's key, such as us:B000123.
            k: Number of products, at least 1.
            locale: Only products of this locale; by default of the product's own.
            where: Only products that meet this condition.
            fold: Whether of the products of a locale with the same title only the best is shown.
            show: Columns whose values each hit shows.

        Raises:
            WarehouseError: The release has no such product, the locale has none, the filter cannot be used, or a column to show
                is none of a product.
        """
        key, shown = normalized_key(key), shown_columns(self._home, self.release, show)
        vector = self._home.vectors.vector(self.release.vector_table, self.release.vector_version, key)
        if vector is None:
            raise UnknownKeyError(
                f"release {self.release.release} has no product {key!r}",
                "give the key as locale:product_id; stockroom lookup product KEY suggests near ones",
            )
        locale = self._known(locale) or key.split(":")[0]
        decided = self._open.rules.everywhere(locale)
        among = decided.shown(self._matching(where, locale))

        def first(limit: int) -> list[Hit]:
            hits = hits_of(self._open.nearest(vector, limit + 1, locale, among))
            return [replace(hit, rank=rank) for rank, hit in enumerate((hit for hit in hits if hit.key != key), 1)][
                :limit
            ]

        return with_values(
            self._home, self.release, self._open.rules.arranged(decided, first, k, among, fold=fold), shown
        )

    def _opened(self, release: Release, before: OpenRelease | None = None) -> OpenRelease:
        return OpenRelease(self._home, release, self._settings, self._threads, in_memory=self._in_memory, before=before)

    def unknown_share(self, query: str) -> float:
        """Return the share of the query's tokens that the encoder does not know, 0 to 1.

        Above `UNREADABLE_SHARE` a ranked search orders by words alone.
        """
        text = clean_text(query[:_MOST_CHARS])
        return self._open.unknown_share(text) if text is not None else 0.0

    def _known(self, locale: str | None) -> str | None:
        """Return a locale in its normal form; None stays None.

        Raises:
            WarehouseError: The release has no product of the locale.
        """
        normal = normalized_locale(locale) if locale is not None else None
        if locale is None or (
            normal is not None and self._open.ranker is not None and normal in self._open.ranker.locales
        ):
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
