"""Training data: cached vectors, features and graded pairs, joined by row numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import polars as pl

from models.errors import ModelError
from models.labels import LABELS


def _no_rows() -> npt.NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Hold queries, products and their judged pairs.

    `query_vectors` (queries, dim) and `product_vectors` (products, dim) are float32 and may be memory-mapped; the
    features and locales have the same rows. `query_index` and `product_index` (pairs,) point into them, `label`
    (pairs,) holds codes of `models.labels`, `split` (pairs,) is "train" or "validation"; other splits are ignored.

    A query or a product whose features change with time may have several rows. `query_group` (queries,) then numbers the
    queries, ascending; `product_row` (products,) is the row that represents the product in the searched catalog. None:
    every row is a separate query or product.

    `mined_query` (negatives,) and `mined_product` (negatives,) are the hard negatives of the train queries: numbers of
    `query_group`, and rows of the catalog.
    """

    query_vectors: npt.NDArray[np.float32]
    product_vectors: npt.NDArray[np.float32]
    query_features: pl.DataFrame
    product_features: pl.DataFrame
    query_locale: npt.NDArray[np.str_]
    product_locale: npt.NDArray[np.str_]
    query_index: npt.NDArray[np.int64]
    product_index: npt.NDArray[np.int64]
    label: npt.NDArray[np.int8]
    split: npt.NDArray[np.str_]
    query_group: npt.NDArray[np.int64] | None = None
    product_row: npt.NDArray[np.int64] | None = None
    mined_query: npt.NDArray[np.int64] = dataclasses.field(default_factory=_no_rows)
    mined_product: npt.NDArray[np.int64] = dataclasses.field(default_factory=_no_rows)

    def __post_init__(self) -> None:
        """Refuse arrays that do not match.

        Raises:
            ModelError: Rows, widths, indices or labels do not match.
        """
        queries, products = len(self.query_vectors), len(self.product_vectors)
        checks = {
            "query and product vectors have the same width": self.query_vectors.ndim == self.product_vectors.ndim == 2
            and self.query_vectors.shape[1] == self.product_vectors.shape[1],
            "every query has a vector and a locale": len(self.query_locale) == queries,
            "every product has a vector and a locale": len(self.product_locale) == products,
            "every query has features": self.query_features.width == 0 or self.query_features.height == queries,
            "every product has features": self.product_features.width == 0 or self.product_features.height == products,
            "every pair has a query, a product, a label and a split": len(self.query_index)
            == len(self.product_index)
            == len(self.label)
            == len(self.split),
            "every pair has an existing query": _within(self.query_index, queries),
            "every pair has an existing product": _within(self.product_index, products),
            "query groups ascend, one per query row": len(self.query_groups) == queries
            and bool((np.diff(self.query_groups) >= 0).all()),
            "every product row names a row of the catalog": len(self.catalog_rows) == products
            and _within(self.catalog_rows, products)
            and bool((self.catalog_rows[self.catalog_rows] == self.catalog_rows).all()),
            "every mined negative has a query and a product of the catalog": len(self.mined_query)
            == len(self.mined_product)
            and bool(np.isin(self.mined_query, self.query_groups).all())
            and _within(self.mined_product, products)
            and bool((self.catalog_rows[self.mined_product] == self.mined_product).all()),
            "every label is one of the codes 0 to 3": _within(self.label, len(LABELS)),
        }
        for rule, holds in checks.items():
            if not holds:
                raise ModelError(
                    f"the training data breaks the rule that {rule}", "rebuild the training pairs: stockroom build"
                )

    @property
    def query_groups(self) -> npt.NDArray[np.int64]:
        """Return the number of the query of each query row: (queries,), ascending."""
        return np.arange(len(self.query_vectors)) if self.query_group is None else self.query_group

    @property
    def catalog_rows(self) -> npt.NDArray[np.int64]:
        """Return the catalog row of the product of each product row: (products,)."""
        return np.arange(len(self.product_vectors)) if self.product_row is None else self.product_row

    @property
    def catalog(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the searched catalog rows by locale, ascending."""
        rows = np.unique(self.catalog_rows)
        return {str(name): rows[self.product_locale[rows] == name] for name in np.unique(self.product_locale)}

    @property
    def dim(self) -> int:
        """Return the width of the vectors."""
        return int(self.query_vectors.shape[1])


def _within(values: npt.NDArray[np.integer], count: int) -> bool:
    return len(values) == 0 or bool(values.min() >= 0 and values.max() < count)
