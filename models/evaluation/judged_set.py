"""Judged sets: a catalog to search, and graded query-product pairs as plain arrays."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import ModelError
from models.labels import EXACT, LABELS


def _fingerprints(keys: Iterable[str]) -> NDArray[np.uint64]:
    digests = b"".join(hashlib.md5(key.encode(), usedforsecurity=False).digest()[:8] for key in keys)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _slices(locales: pl.Series) -> dict[str, slice]:
    runs = locales.rle().struct.unnest()  # sorted, so one run per locale
    ends = runs["len"].cum_sum().cast(pl.Int64)
    starts = ends - runs["len"]
    return {name: slice(*ends) for name, *ends in zip(runs["value"], starts, ends, strict=True)}


@dataclass(frozen=True)
class Catalog:
    """The searched products; row numbers of products refer to this frame.

    Attributes:
        products: ``locale`` and ``product_id``, one row per product, sorted by both, so that inside a locale a
            smaller row number is a smaller product id and a locale is one slice.
    """

    products: pl.DataFrame

    def __post_init__(self) -> None:
        """Refuse products that are out of order or duplicated.

        Raises:
            ModelError: The rows are not strictly ascending by locale and product id.
        """
        rows = self.products.select("locale", "product_id")
        if not rows.equals(rows.unique().sort("locale", "product_id")):
            raise ModelError(
                "catalog rows are out of order or repeated",
                "sort the rows by locale and product_id, and keep one row per product",
            )

    def __len__(self) -> int:
        return self.products.height

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Return the rows of each locale as a slice, by locale."""
        return _slices(self.products["locale"])

    @cached_property
    def fingerprints(self) -> NDArray[np.uint64]:
        """Return 64 bits of the MD5 of each product's key: (products,)."""
        keys = self.products.select("locale", "product_id").iter_rows()
        return _fingerprints(f"{locale}:{product}" for locale, product in keys)


@dataclass(frozen=True)
class JudgedSet:
    """Graded query-product pairs, one query after another; build it with ``from_frame``.

    Attributes:
        queries: ``locale``, ``query_id`` and ``query``, one row per query, sorted by locale and query id.
        offsets: (queries + 1,) start of each query's judgements.
        products: (judgements,) catalog rows, ascending inside a query, so in product id order.
        labels: (judgements,) codes of ``models.labels``.
    """

    queries: pl.DataFrame
    offsets: NDArray[np.int64]
    products: NDArray[np.int64]
    labels: NDArray[np.int8]

    @classmethod
    def from_frame(cls, judgements: pl.DataFrame, catalog: Catalog) -> "JudgedSet":
        """Return the judged set of a frame with the columns locale, query_id, query, product_id and label (E, S, C or I).

        Raises:
            ModelError: The frame is empty, a label is unknown, a pair is judged twice, or a product is not in the catalog.
        """
        if judgements.is_empty():
            raise ModelError("there are no judgements", "give a file with at least one judgement")
        unknown = judgements.filter(~pl.col("label").is_in(LABELS) | pl.col("label").is_null())
        if not unknown.is_empty():
            raise ModelError(f"unknown label {unknown['label'][0]!r}", f"use the labels {', '.join(reversed(LABELS))}")
        pairs = judgements.join(
            catalog.products.with_row_index("row"), on=["locale", "product_id"], how="left", maintain_order="left"
        ).sort("locale", "query_id", "row")
        missing = pairs.filter(pl.col("row").is_null())
        if not missing.is_empty():
            name = f"{missing['locale'][0]}:{missing['product_id'][0]}"
            message = f"{missing.height} judged products are not in the catalog, {name} among them"
            raise ModelError(message, "give only judgements of products in the catalog")
        if pairs.select(pl.struct("locale", "query_id", "row").is_duplicated().any()).item():
            raise ModelError("a query judges a product twice", "keep one judgement per locale, query and product")
        # maintain_order: the queries keep the order of the pairs
        queries = pairs.group_by("locale", "query_id", maintain_order=True).agg(pl.first("query"), pl.len())
        return cls(
            queries=queries.select("locale", "query_id", "query"),
            offsets=np.concatenate([[0], np.cumsum(queries["len"].to_numpy(), dtype=np.int64)]),
            products=pairs["row"].to_numpy().astype(np.int64),
            labels=pairs["label"].replace_strict(LABELS, range(len(LABELS)), return_dtype=pl.Int8).to_numpy(),
        )

    def __len__(self) -> int:
        return self.queries.height

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Return the slice of each locale's queries."""
        return _slices(self.queries["locale"])

    @cached_property
    def exact(self) -> NDArray[np.int64]:
        """Return the positions in ``products`` of the judgements with the label Exact, ascending: (positives,)."""
        return np.flatnonzero(self.labels == EXACT)

    @cached_property
    def exact_offsets(self) -> NDArray[np.int64]:
        """Return the start of each query's Exact judgements in ``exact``: (queries + 1,)."""
        return np.searchsorted(self.exact, self.offsets)

    @cached_property
    def fingerprints(self) -> NDArray[np.uint64]:
        """Return 64 bits of the MD5 of each query's key: (queries,)."""
        keys = self.queries.select("locale", "query_id").iter_rows()
        return _fingerprints(f"{locale}:{query}" for locale, query in keys)
