"""BM25 over product texts: the lexical baseline of every model.

bm25s (Lù, 2024, arXiv 2407.03618) computes the sparse postings. Texts and queries come as words, split beforehand.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class Bm25Settings(BaseModel):
    """Choose how BM25 weighs words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k1: float = Field(0.3, ge=0, description="How much repeats of a word in a text add, as a factor; 0 adds nothing.")
    b: float = Field(0.6, ge=0, le=1, description="How much a long text is discounted, 0 (not at all) to 1.")
    method: Literal["lucene", "robertson", "atire"] = Field(
        "lucene", description="Variant of the formula, as bm25s names them."
    )


@dataclass(frozen=True)
class Bm25Index:
    """Postings of one catalog: for every word the rows that contain it and its weight in their scores.

    With the method "lucene", score of a text for a query = sum over the query's words of
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * length / mean length))``
    (Kamphuis et al., 2020, "Lucene (accurate)"; without the factor k1 + 1, which changes no order). Words
    outside the vocabulary add nothing; a word that occurs twice in the query counts twice.

    Attributes:
        vocabulary: number of each word.
        starts: (words + 1,) where each word's postings begin.
        rows: (postings,) text numbers, ascending inside a word.
        weights: (postings,) float32.
        size: number of texts.
    """

    vocabulary: dict[str, int]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    size: int

    @classmethod
    def build(cls, texts: Sequence[Sequence[str]], settings: Bm25Settings) -> "Bm25Index":
        """Index the words of texts, preferably in product id order, because ties go to the earlier row."""
        vocabulary: dict[str, int] = {}
        documents = [[vocabulary.setdefault(word, len(vocabulary)) for word in text] for text in texts]
        if not vocabulary:  # bm25s would divide by a mean length of 0
            nothing = np.zeros(0, dtype=np.int32)
            return cls({}, np.zeros(1, dtype=np.int64), nothing, nothing.astype(np.float32), len(texts))

        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # the library sets itself to DEBUG
        retriever = bm25s.BM25(k1=settings.k1, b=settings.b, method=settings.method)
        retriever.index((documents, vocabulary), create_empty_token=False, show_progress=False)
        postings = retriever.scores
        return cls(vocabulary, postings["indptr"], postings["indices"], postings["data"], len(texts))

    def scores(self, queries: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """Score every text for every query: (queries, texts). All scores must fit in memory."""
        scores = np.zeros((len(queries), self.size), dtype=np.float32)
        for row, query in zip(scores, queries, strict=True):
            for start, stop in self._postings(query):
                row[self.rows[start:stop]] += self.weights[start:stop]  # a text occurs once in a word's postings
        return scores

    def pair_scores(self, query: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score some texts for one query without touching the others: (rows,), the same numbers as ``scores``."""
        scores = np.zeros(len(rows), dtype=np.float32)
        for start, stop in self._postings(query):
            # Bisect the word's rows; a row past the end is compared with the last one.
            place = np.minimum(start + np.searchsorted(self.rows[start:stop], rows), stop - 1)
            scores += np.where(self.rows[place] == rows, self.weights[place], np.float32(0))
        return scores

    def _postings(self, query: Sequence[str]) -> list[tuple[int, int]]:
        words = (self.vocabulary[word] for word in query if word in self.vocabulary)
        return [(int(self.starts[word]), int(self.starts[word + 1])) for word in words]
