"""Rankers: they score products for queries; higher scores are better."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.evaluation.bm25 import Bm25Index, Bm25Settings
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.metrics import query_of_rows

Scores = NDArray[np.floating[Any]]

_PAIRS = 65_536  # pairs of vectors gathered at once: about 200 MB at 384 dimensions


class Ranker(Protocol):
    """Score products for queries. Equal products must get equal scores, so that the product id breaks ties."""

    def judged_scores(self, judged: JudgedSet, catalog: Catalog) -> Scores:
        """Score each judged pair: (judgements,)."""
        ...

    def catalog_scores(self, judged: JudgedSet, catalog: Catalog, locale: str, step: int) -> Iterator[Scores]:
        """Score all products of one locale for its queries, in blocks of at most ``step``: (block, products)."""
        ...


@dataclass(frozen=True)
class DenseRanker:
    """Rank by the dot product of query and product vectors.

    Attributes:
        query_vectors: (queries, dim) float32, in the order of ``JudgedSet.queries``.
        product_vectors: (products, dim) float32, in the order of ``Catalog.products``.
    """

    query_vectors: NDArray[np.float32]
    product_vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse vectors of different dimensions or with values that are not finite, which would silently rank first.

        Raises:
            ModelError: Dimensions differ, or a value is NaN or infinite.
        """
        if self.query_vectors.shape[1:] != self.product_vectors.shape[1:]:
            shapes = f"{self.query_vectors.shape} and {self.product_vectors.shape}"
            raise ModelError(
                f"query and product vectors differ in dimension: {shapes}", "encode queries and products with one model"
            )
        for name, vectors in (("query", self.query_vectors), ("product", self.product_vectors)):
            with np.errstate(invalid="ignore"):  # infinity minus infinity
                total = vectors.sum(dtype=np.float64)  # finite only if all values are; needs no mask
            if not np.isfinite(total):
                raise ModelError(f"a {name} vector holds NaN or infinity", "look for an overflow in the encoder")

    def judged_scores(self, judged: JudgedSet, catalog: Catalog) -> Scores:
        """Score each judged pair: (judgements,)."""
        self._check(judged, catalog)
        queries = query_of_rows(judged.offsets)
        scores = np.empty(len(queries), dtype=np.float32)
        for start in range(0, len(queries), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            left, right = self.query_vectors[queries[pairs]], self.product_vectors[judged.products[pairs]]
            scores[pairs] = (left * right).sum(axis=1)  # row by row, so that equal vectors score equally
        return scores

    def catalog_scores(self, judged: JudgedSet, catalog: Catalog, locale: str, step: int) -> Iterator[Scores]:
        """Score all products of one locale for its queries, in blocks of at most ``step``: (block, products)."""
        self._check(judged, catalog)
        products = self.product_vectors[catalog.slices[locale]]
        duplicates, originals = _duplicate_rows(products)
        for queries in _blocks(judged.slices[locale], step):
            scores = self.query_vectors[queries] @ products.T
            # A matrix product rounds differently from column to column: equal vectors would tie only by chance.
            scores[:, duplicates] = scores[:, originals]
            yield scores

    def _check(self, judged: JudgedSet, catalog: Catalog) -> None:
        if (len(self.query_vectors), len(self.product_vectors)) != (len(judged), len(catalog)):
            sizes = f"{len(self.query_vectors)} query and {len(self.product_vectors)} product vectors"
            raise ModelError(
                f"the ranker has {sizes}, but there are {len(judged)} queries and {len(catalog)} products",
                "encode the queries and the products again",
            )


@dataclass(frozen=True)
class Bm25Ranker:
    """Rank by BM25 of the query text, with separate word statistics for each locale.

    Attributes:
        indexes: one index per locale, its rows in the order of the locale's slice of the catalog.
        queries: the words of each judged query.
    """

    indexes: Mapping[str, Bm25Index]
    queries: Sequence[Sequence[str]]

    @classmethod
    def build(
        cls,
        texts: Sequence[Sequence[str]],
        queries: Sequence[Sequence[str]],
        catalog: Catalog,
        settings: Bm25Settings,
    ) -> "Bm25Ranker":
        """Index the words of each product, in the order of ``Catalog.products``.

        Raises:
            ModelError: There are more or fewer texts than products.
        """
        if len(texts) != len(catalog):
            raise ModelError(f"there are {len(texts)} texts but {len(catalog)} products", "give one text per product")
        return cls({name: Bm25Index.build(texts[rows], settings) for name, rows in catalog.slices.items()}, queries)

    def judged_scores(self, judged: JudgedSet, catalog: Catalog) -> Scores:
        """Score each judged pair: (judgements,)."""
        scores = np.zeros(len(judged.products), dtype=np.float32)
        for i, (locale, words) in enumerate(zip(judged.queries["locale"], self.queries, strict=True)):
            pairs = slice(judged.offsets[i], judged.offsets[i + 1])
            rows = judged.products[pairs] - catalog.slices[locale].start
            scores[pairs] = self.indexes[locale].pair_scores(words, rows)
        return scores

    def catalog_scores(self, judged: JudgedSet, catalog: Catalog, locale: str, step: int) -> Iterator[Scores]:
        """Score all products of one locale for its queries, in blocks of at most ``step``: (block, products)."""
        for queries in _blocks(judged.slices[locale], step):
            yield self.indexes[locale].scores(self.queries[queries])


@dataclass(frozen=True)
class ListRanker:
    """Rank each query's products by given scores; products that the search did not find come last.

    Attributes:
        offsets: (queries + 1,) start of each query's pairs.
        products: (pairs,) catalog rows, ascending inside a query; every judged product is among them.
        scores: (pairs,) score of each pair.
        is_retrieved: (pairs,) whether the search found the product.
        rest: orders the products that were not found, by scores of at most 1. Without it the judged ones keep the order of
            their scores, and the others tie.
    """

    offsets: NDArray[np.int64]
    products: NDArray[np.int64]
    scores: NDArray[np.float64]
    is_retrieved: NDArray[np.bool_]
    rest: DenseRanker | None = None

    def judged_scores(self, judged: JudgedSet, catalog: Catalog) -> Scores:
        """Score each judged pair: (judgements,). Those not found are below all found."""
        scores = np.empty(len(judged.products))
        others = self.rest.judged_scores(judged, catalog) if self.rest is not None else None
        for query in range(len(judged)):
            own = slice(judged.offsets[query], judged.offsets[query + 1])
            listed = slice(self.offsets[query], self.offsets[query + 1])
            places = self.offsets[query] + np.searchsorted(self.products[listed], judged.products[own])
            below = self.scores[places] - np.ptp(self.scores[listed]) - 1
            below = below if others is None else self._floor(listed) + others[own]
            scores[own] = np.where(self.is_retrieved[places], self.scores[places], below)
        return scores

    def catalog_scores(self, judged: JudgedSet, catalog: Catalog, locale: str, step: int) -> Iterator[Scores]:
        """Score all products of one locale for its queries, in blocks of at most ``step``: (block, products)."""
        products = catalog.slices[locale]
        rest = self.rest.catalog_scores(judged, catalog, locale, step) if self.rest is not None else None
        for queries in _blocks(judged.slices[locale], step):
            scores = np.zeros((queries.stop - queries.start, products.stop - products.start))
            if rest is not None:
                scores += next(rest)
            for row, query in zip(scores, range(queries.start, queries.stop), strict=True):
                listed = slice(self.offsets[query], self.offsets[query + 1])
                is_retrieved = self.is_retrieved[listed]
                row += self._floor(listed)
                row[self.products[listed][is_retrieved] - products.start] = self.scores[listed][is_retrieved]
            yield scores

    def _floor(self, listed: slice) -> float:
        """Return what a score of at most 1 is added to, so that it is below every found one."""
        scores = self.scores[listed][self.is_retrieved[listed]]
        return float(scores.min()) - 2 if len(scores) else 0.0


@dataclass(frozen=True)
class RandomRanker:
    """Rank at random: a score depends only on the seed, the query's key and the product's key, not on the row order."""

    seed: int

    def judged_scores(self, judged: JudgedSet, catalog: Catalog) -> Scores:
        """Score each judged pair: (judgements,)."""
        return self._mix(judged.fingerprints[query_of_rows(judged.offsets)], catalog.fingerprints[judged.products])

    def catalog_scores(self, judged: JudgedSet, catalog: Catalog, locale: str, step: int) -> Iterator[Scores]:
        """Score all products of one locale for its queries, in blocks of at most ``step``: (block, products)."""
        products = catalog.fingerprints[catalog.slices[locale]]
        for query in judged.fingerprints[judged.slices[locale]]:
            yield self._mix(query, products)[None]  # (1, products): larger blocks gain nothing

    def _mix(self, queries: NDArray[np.uint64] | np.uint64, products: NDArray[np.uint64]) -> NDArray[np.float64]:
        # The finalizer of SplitMix64 (Steele et al., 2014) over both keys; 53 bits make a float in 0 to 1.
        salt = int.from_bytes(hashlib.md5(str(self.seed).encode(), usedforsecurity=False).digest()[:8], "little")
        mixed = products ^ queries ^ np.uint64(salt)
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _blocks(queries: slice, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, queries.stop)) for start in range(queries.start, queries.stop, step))


def _duplicate_rows(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the rows with the vector of an earlier row, and the first row of each such vector: (duplicates,) each."""
    row_of_digest: dict[bytes, int] = {}
    digests = (hashlib.md5(vector.tobytes(), usedforsecurity=False).digest() for vector in vectors)
    first_rows = np.fromiter(
        (row_of_digest.setdefault(digest, row) for row, digest in enumerate(digests)), np.int64, len(vectors)
    )
    duplicates = np.flatnonzero(first_rows != np.arange(len(first_rows)))
    return duplicates, first_rows[duplicates]
