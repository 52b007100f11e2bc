"""Spelling: words of a query that the catalog does not know, replaced by the one that it knows and that is nearest."""

from functools import cached_property

import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import OSA

_LEAST_CHARS, _LONG_CHARS = 4, 8  # a shorter word is left alone; from the second on two edits are allowed
_NEIGHBORS = 20


class Spelling:
    """Correct words by the word weights of a ranker (locale, word, weight)."""

    def __init__(self, words: pl.DataFrame) -> None:
        self._words = words

    def corrections(self, words: list[str], locale: str) -> dict[str, str]:
        """Return the replacement of each word that the catalog of the locale does not know and that is near one it does.

        Near is one edit, or two of a long word: a letter changed, added, left out, or swapped with the next. The first letter
        has to be the same. Of several near words the nearest is taken, then the most frequent. Product codes and numbers, and
        words in a script without spaces, stay as they are.
        """
        known = self._known.get(locale, {})
        corrections = {}
        for word in dict.fromkeys(words):
            if word in known or len(word) < _LEAST_CHARS or not word.isalpha() or not _is_cased(word):
                continue
            cutoff = 1 if len(word) < _LONG_CHARS else 2
            near = process.extract(
                word,
                self._by_letter.get(locale, {}).get(word[0], []),
                scorer=OSA.distance,
                score_cutoff=cutoff,
                limit=_NEIGHBORS,
            )
            if near:
                corrections[word] = min(near, key=lambda each: (each[1], known[each[0]], each[0]))[0]
        return corrections

    @cached_property
    def _known(self) -> dict[str, dict[str, float]]:
        """The weight of each word, by locale."""
        known: dict[str, dict[str, float]] = {}
        for locale, word, weight in self._words.select("locale", "word", "weight").iter_rows():
            known.setdefault(locale, {})[word] = weight
        return known

    @cached_property
    def _by_letter(self) -> dict[str, dict[str, list[str]]]:
        """The words of letters alone, by locale and first letter."""
        words: dict[str, dict[str, list[str]]] = {}
        for locale, known in self._known.items():
            for word in known:
                if len(word) >= _LEAST_CHARS - 1 and word.isalpha():
                    words.setdefault(locale, {}).setdefault(word[0], []).append(word)
        return words


def corrected(words: str, corrections: dict[str, str]) -> str:
    """Return words joined by blanks with the corrections made."""
    return " ".join(corrections.get(word, word) for word in words.split())


def _is_cased(word: str) -> bool:
    """Tell whether a word is of a script with upper and lower case: Latin, Greek, Cyrillic."""
    return word.upper() != word.lower()
