"""Translation: how likely the words of a query are for a title that may say the same in other words.

The model is the first of IBM (Brown et al., 1993), in search the translation language model (Berger and Lafferty, 1999): each
word of a query comes from one word of the title, and Exact pairs tell from which.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

_ROUNDS = 6  # of expectation and maximization
_LEAST_COUNT = 0.3  # expected number of queries below which a translation is dropped
_SAME_WORD = 0.5  # the least probability of a word for a title that has the word itself
_NO_WORD = 0.02  # the probability of a word for a title that has none of its translations
_FULL_WORDS = 8  # of a title; the words of a longer one count less
_NULL = ""  # the title word from which words come that say nothing of the product

SCHEMA = {"locale": pl.String, "query_word": pl.String, "title_word": pl.String, "probability": pl.Float64}


def learn(pairs: pl.DataFrame) -> pl.DataFrame:
    """Learn translations from Exact pairs; every query counts the same.

    Args:
        pairs: locale, query (a number or key), query_words and title_words, both joined by blanks.

    Returns:
        The columns of `SCHEMA`, sorted: the probability of the query word where the title has the title word.
    """
    cells = (
        pairs.select(
            "locale",
            pl.col("query_words").str.split(" ").list.unique(maintain_order=True).alias("query_word"),
            pl.concat_list(pl.lit(_NULL), pl.col("title_words").str.split(" "))
            .list.unique(maintain_order=True)
            .alias("title_word"),
            weight=1 / pl.len().over("query"),
        )
        .with_row_index("pair")
        .explode("query_word")
        .with_row_index("word")  # one word of one pair
        .explode("title_word")
        .filter(pl.col("query_word") != "")
    )
    if cells.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    entries = cells.select("locale", "query_word", "title_word").unique().sort(pl.all()).with_row_index("entry")
    entry = cells.join(entries, on=["locale", "query_word", "title_word"], maintain_order="left")["entry"].to_numpy()
    title = entries.select(pl.struct("locale", "title_word").rank("dense") - 1).to_series().to_numpy()
    word, weight = cells["word"].to_numpy(), cells["weight"].to_numpy()
    probability: NDArray[np.float64] = np.ones(len(title))
    count: NDArray[np.float64] = np.zeros(len(title))
    for _ in range(_ROUNDS):
        likely = probability[entry]
        share = likely / np.bincount(word, likely)[word]
        count = np.bincount(entry, weight * share, minlength=len(title)).astype(np.float64)
        probability = count / np.maximum(np.bincount(title, count)[title], 1e-12)
    learned = entries.with_columns(probability=probability * count / (count + 1), count=count)
    return learned.filter(pl.col("count") > _LEAST_COUNT, pl.col("title_word") != _NULL).select(*SCHEMA)


def _distinct(words: pl.Expr) -> pl.Expr:
    """Return the words of each text as a list, each once."""
    return words.str.split(" ").list.unique(maintain_order=True)


@dataclass(frozen=True)
class Translations:
    """Tell how likely queries are for titles, by the rows of `learn`."""

    rows: pl.DataFrame

    def likelihoods(self, query: Iterable[str], locale: str, titles: Sequence[str]) -> NDArray[np.float64]:
        """Return the mean logarithm of the probability of the query's words for each title: (titles,); NaN without a word.

        Args:
            query: The words of the query.
            locale: The locale of query and titles.
            titles: The words of each title, joined by blanks.
        """
        words = list(dict.fromkeys(query))
        if not words:
            return np.full(len(titles), np.nan)
        sources: dict[str, list[float]] = {}  # the probability of each query word, by title word
        for place, word in enumerate(words):
            own = self._sources.get((locale, word), {})
            for title_word, probability in {**own, word: max(own.get(word, 0.0), _SAME_WORD)}.items():
                sources.setdefault(title_word, [0.0] * len(words))[place] = probability
        values = np.empty(len(titles))
        for row, title in enumerate(titles):
            title_words = set(title.split())
            source_likelihoods = [sources[each] for each in sorted(title_words & sources.keys())]
            scale = _FULL_WORDS / max(len(title_words), _FULL_WORDS)
            sums = map(sum, zip(*source_likelihoods, strict=True)) if source_likelihoods else [0.0] * len(words)
            values[row] = sum(math.log(_NO_WORD + scale * each) for each in sums) / len(words)
        return values

    @cached_property
    def _sources(self) -> dict[tuple[str, str], dict[str, float]]:
        """The probability by title word, of each locale and query word."""
        sources: dict[tuple[str, str], dict[str, float]] = {}
        for locale, query_word, title_word, probability in self.rows.select(*SCHEMA).iter_rows():
            sources.setdefault((locale, query_word), {})[title_word] = probability
        return sources
