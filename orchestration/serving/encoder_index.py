"""The encoder alone: products by the vectors of their texts, without towers, words and ranker. It shows what a model adds."""

import threading

import numpy as np
import numpy.typing as npt
import polars as pl

from models.encoder.text_template import product_text
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.vectors.kept_rows import MOST_ROWS

Matrix = npt.NDArray[np.float32]

_PRODUCTS = "SELECT key, product_id, locale, title, brand, color FROM staging.products ORDER BY product_id, key LIMIT ?"


class EncoderIndex:
    """Find products of a release by the encoder's vectors of their texts, from the embedding cache. Threads may share it.

    The vectors are read at the first search and kept: 15 MB for 10,000 products.
    """

    def __init__(self, home: Home, release: Release) -> None:
        self._home, self._release, self._lock = home, release, threading.Lock()
        self._read: tuple[pl.DataFrame, Matrix] | None = None

    def nearest(
        self, vector: npt.NDArray[np.float32], k: int, locale: str | None, among: set[str] | None
    ) -> pl.DataFrame:
        """Return the `k` nearest products: rank, key, product_id, locale, title, score.

        Raises:
            WarehouseError: There are more than 150,000 products, or the cache lacks one of their texts.
        """
        with self._lock:
            self._read = self._read or self._products()
        products, vectors = self._read
        rows = products.with_columns(score=pl.Series(vectors @ vector, dtype=pl.Float64))
        if locale is not None:
            rows = rows.filter(pl.col("locale") == locale)
        if among is not None:
            rows = rows.filter(pl.col("key").is_in(among))
        best = rows.sort("score", descending=True, maintain_order=True).head(k)
        return best.select(pl.int_range(1, pl.len() + 1).alias("rank"), *rows.columns)

    def _products(self) -> tuple[pl.DataFrame, Matrix]:
        with self._home.lake.reading(self._release.snapshot) as connection:
            products = connection.execute(_PRODUCTS, [MOST_ROWS + 1]).pl()
        if products.height > MOST_ROWS:
            raise WarehouseError(
                f"the encoder alone searches at most {MOST_ROWS:,} products", "search by vector, or as ranked"
            )
        texts = products.select(product_text()).to_series().to_list()
        vectors = self._home.embeddings.vectors(texts, self._release.encoder_fingerprint)
        return products.drop("brand", "color"), vectors
