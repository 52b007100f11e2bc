"""Marks of the words in a text that a query has, by the rules of the text index: stems, no accents, pairs of unspaced signs."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import polars as pl

from warehouse.transform.words import query_words_by_locale, words

_RUN = re.compile(r"[^\W_]+")


class Part(NamedTuple):
    """Hold a part of a text, and whether the query has its words."""

    text: str
    is_marked: bool


def marked_texts(texts: Sequence[str], locales: Sequence[str], queries: Sequence[str]) -> list[list[Part]]:
    """Return each text as parts, which together are the text.

    Args:
        texts: The texts.
        locales: The locale of each text, which decides its language.
        queries: Wordings of one query, such as the one that was typed and the one with corrected spelling.
    """
    known: dict[str, set[str]] = {each: set() for each in locales}
    for query in queries:
        for locale, own in zip(known, query_words_by_locale(query, list(known)), strict=True):
            known[locale].update(own)
    spans = [
        [(match.start() + at, run) for match in _RUN.finditer(text) for at, run in _scripts(match[0])] for text in texts
    ]
    runs = [run for each in spans for _, run in each]
    languages = [locale for locale, each in zip(locales, spans, strict=True) for _ in each]
    stems = iter(words(pl.Series(runs, dtype=pl.String), pl.Series(languages, dtype=pl.String)).to_list())
    return [
        list(_parts(text, [mark for start, run in each for mark in _marks(start, run, next(stems), known[locale])]))
        for text, locale, each in zip(texts, locales, spans, strict=True)
    ]


def _scripts(run: str) -> Iterator[tuple[int, str]]:
    """Return the parts of a run of letters with case, and of those without, as of `USBケーブル`, each with its place."""
    at = 0
    for _, signs in groupby(run, key=lambda sign: unicodedata.category(sign) in ("Lo", "Lm")):
        part = "".join(signs)
        yield at, part
        at += len(part)


def _marks(start: int, run: str, stems: str, known: set[str]) -> Iterator[tuple[int, int]]:
    """Return the places in the text, from and to, of what the query has of a run."""
    own = stems.split()
    lower = run.lower()
    if len(own) > 1 and own == [lower[at : at + 2] for at in range(len(lower) - 1)]:
        yield from ((start + at, start + at + 2) for at, pair in enumerate(own) if pair in known)
    elif known & set(own):
        yield start, start + len(run)


def _parts(text: str, marks: Sequence[tuple[int, int]]) -> Iterator[Part]:
    """Return a text divided at the marks, which are in order and may overlap."""
    done = 0
    joined: list[tuple[int, int]] = []
    for start, end in marks:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    for start, end in joined:
        if start > done:
            yield Part(text[done:start], False)
        yield Part(text[start:end], True)
        done = end
    if done < len(text):
        yield Part(text[done:], False)
