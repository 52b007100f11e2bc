"""Suggestions: known queries and titles that begin with what was typed, from sorted arrays that are read once a release."""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal

from warehouse.contracts.locales import normalized_locale
from warehouse.home import Home
from warehouse.serving.release_log import Release

Kind = Literal["query", "title"]

_MOST_TITLES = 200_000
_MOST_RANKED = 5_000  # of a short beginning, the first so many are ranked
_LAST = chr(0x10FFFF)
_SQL: tuple[tuple[Kind, str], ...] = (
    (
        "query",
        "SELECT queries.locale, query, count(judgements.key) FROM staging.queries LEFT JOIN staging.judgements "
        "ON judgements.query_key = queries.key WHERE query IS NOT NULL GROUP BY ALL ORDER BY ALL",
    ),
    (
        "title",
        "SELECT locale, title, 0 FROM (SELECT DISTINCT locale, title FROM staging.products WHERE title IS NOT NULL) "
        f"ORDER BY locale, title LIMIT {_MOST_TITLES}",
    ),
)


@dataclass(frozen=True)
class Suggestion:
    """A whole text that begins with what was typed: a known query, or the title of a product."""

    text: str
    kind: Kind
    locale: str


class _Texts:
    """Hold the texts of one kind and locale, sorted by how they are compared."""

    def __init__(self, rows: Sequence[tuple[str, int]]) -> None:
        ordered = sorted((_folded(text), -count, text) for text, count in rows)
        self._folded = [folded for folded, _, _ in ordered]
        self._rows = [(count, len(text), text) for _, count, text in ordered]

    def beginning_with(self, typed: str, k: int) -> list[tuple[int, int, str]]:
        """Return up to k texts, the most frequent and then the shortest first: (minus count, length, text)."""
        start = bisect_left(self._folded, typed)
        end = min(bisect_left(self._folded, typed + _LAST, start), start + _MOST_RANKED)
        return nsmallest(k, self._rows[start:end])


class Suggestions:
    """Complete what was typed with the queries and titles of one release."""

    def __init__(self, home: Home, release: Release) -> None:
        self.release = release.release
        self._texts: dict[Kind, dict[str, _Texts]] = {}
        with home.lake.reading(release.snapshot) as connection:
            for kind, sql in _SQL:
                by_locale: dict[str, list[tuple[str, int]]] = defaultdict(list)
                for locale, text, count in connection.execute(sql).fetchall():
                    by_locale[locale].append((text, count))
                self._texts[kind] = {locale: _Texts(rows) for locale, rows in by_locale.items()}

    def of(self, typed: str, k: int, locale: str | None = None) -> list[Suggestion]:
        """Return up to k completions: queries first, by the number of judged products, then titles, the shortest first."""
        folded, wanted = _folded(typed), None if locale is None else normalized_locale(locale) or locale
        suggestions: dict[tuple[str, str], Suggestion] = {}
        for kind, by_locale in self._texts.items():
            rows = [
                (*row, each)
                for each, texts in by_locale.items()
                if wanted in (None, each)
                for row in texts.beginning_with(folded, k)
            ]
            for _, _, text, each in sorted(rows):
                suggestions.setdefault((text, each), Suggestion(text, kind, each))
        return list(suggestions.values())[:k]


class LiveSuggestions:
    """Keep the suggestions of the newest release; while those of a new one are read, the old ones answer."""

    def __init__(self, home: Home) -> None:
        self._home, self._lock = home, threading.Lock()
        self._suggestions: Suggestions | None = None

    def of(self, release: Release) -> Suggestions:
        """Return the suggestions of a release, or while another thread reads them those of before."""
        current = self._suggestions
        if current is not None and (current.release >= release.release or not self._lock.acquire(blocking=False)):
            return current
        if current is None:
            self._lock.acquire()
        try:
            if self._suggestions is None or self._suggestions.release < release.release:
                self._suggestions = Suggestions(self._home, release)
            return self._suggestions
        finally:
            self._lock.release()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
