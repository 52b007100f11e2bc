"""Spelling: words of a query that the catalog does not know, replaced by the one that it knows and that is nearest."""

from functools import cached_property

import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import OSA

from warehouse.transform.words import query_words

_LEAST_CHARS, _LONG_CHARS = 4, 8  # a shorter word is left alone; from the second on two edits are allowed
_NEIGHBORS = 20


class Spelling:
    """Correct whole words, as they are typed, by the whole words of the catalog: a stem has lost what tells them apart."""

    def __init__(self, words: pl.DataFrame, spellings: pl.DataFrame) -> None:
        """Take the words of a ranker.

        Args:
            words: locale and word, stemmed.
            spellings: locale, word as it is written, and products, the number of products that have it.
        """
        self._words, self._spellings = words, spellings

    def corrections(self, query: str, words: list[str], locale: str) -> dict[str, str]:
        """Return the replacement of each word that the catalog of the locale does not know and that is near one it does.

        Near is one edit, or two of a long word: a letter changed, added, left out, or swapped with the next. The first letter
        has to be the same. Of several near words the nearest is taken, then the one that most products have. Product codes and
        numbers, and words in a script without spaces, stay as they are.

        Args:
            query: The cleaned query.
            words: Its stemmed words.
            locale: The locale.
        """
        known = self._known.get(locale, frozenset())
        if known.issuperset(words):
            return {}
        corrections = {}
        for word in dict.fromkeys(query_words(query, None)):
            if len(word) < _LEAST_CHARS or not word.isalpha() or not _is_cased(word):
                continue
            if known.issuperset(query_words(word, locale)):
                continue
            by_letter = self._by_letter.get(locale, {}).get(word[0], {})
            cutoff = 1 if len(word) < _LONG_CHARS else 2
            near = process.extract(word, by_letter.keys(), scorer=OSA.distance, score_cutoff=cutoff, limit=_NEIGHBORS)
            if near:
                corrections[word] = min(near, key=lambda each: (each[1], -by_letter[each[0]], each[0]))[0]
        return corrections

    def corrected(self, query: str, words: list[str], locale: str) -> list[str]:
        """Return the stemmed words of a query after its corrections; the arguments are those of `corrections`."""
        corrections = self.corrections(query, words, locale)
        if not corrections:
            return words
        return query_words(" ".join(corrections.get(word, word) for word in query_words(query, None)), locale)

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        """The stemmed words by locale."""
        by_locale = self._words.group_by("locale").agg("word")
        return {locale: frozenset(words) for locale, words in by_locale.iter_rows()}

    @cached_property
    def _by_letter(self) -> dict[str, dict[str, dict[str, int]]]:
        """The number of products of each word, by locale and first letter."""
        words: dict[str, dict[str, dict[str, int]]] = {}
        for locale, word, products in self._spellings.select("locale", "word", "products").iter_rows():
            words.setdefault(locale, {}).setdefault(word[0], {})[word] = products
        return words


def respelled(text: str, corrections: dict[str, str]) -> str:
    """Return a text with the corrections made."""
    parts = ((part, query_words(part, None)) for part in text.split())
    return " ".join(
        " ".join(corrections.get(word, word) for word in words) if corrections.keys() & set(words) else part
        for part, words in parts
    )


def _is_cased(word: str) -> bool:
    """Tell whether a word is of a script with upper and lower case: Latin, Greek, Cyrillic."""
    return word.upper() != word.lower()
