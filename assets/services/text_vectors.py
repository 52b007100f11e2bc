"""Text vectors: the texts of the lake's products and queries, their encoder and its vector cache."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from assets.run_context import RunContext
from models.encoder.loading import Encoder, encoder_fingerprint, open_encoder
from models.encoder.text_template import product_text, query_text
from warehouse.vectors.embedding_cache import FillResult

Matrix = npt.NDArray[np.float32]
Announce = Callable[[int], Callable[[int], None]]


def product_texts(products: pl.DataFrame) -> list[str]:
    """Return one text per product, in the order of the rows."""
    return products.select(product_text()).to_series().to_list()


def query_texts(queries: pl.DataFrame) -> list[str]:
    """Return one text per query, in the order of the rows."""
    return [query_text(query) for query in queries["query"]]


class TextVectors:
    """Give the vectors of texts: from the cache, or from the encoder, which is loaded only if needed."""

    def __init__(self, run_context: RunContext, fingerprint: str | None = None) -> None:
        """Use the encoder of a fingerprint, by default the one of the settings."""
        self._run_context = run_context
        self.fingerprint = fingerprint or encoder_fingerprint(run_context.encoder)

    @property
    def encoder(self) -> Encoder:
        """Return the encoder, loaded at its first use in a run."""
        return self._run_context.cached(*self._opening)

    def open_ahead(self) -> None:
        """Start to load the encoder in a thread."""
        self._run_context.ahead(*self._opening)

    @property
    def _opening(self) -> tuple[str, Callable[[], Encoder]]:
        settings, folder = self._run_context.encoder, self._run_context.home.encoders
        return f"encoder {self.fingerprint}", lambda: open_encoder(settings, folder, self.fingerprint)

    def fill(self, texts: list[str], announce: Announce = lambda _total: lambda _count: None) -> FillResult:
        """Encode the texts that are not cached; `announce` takes their number and returns a progress function."""
        bar: Callable[[int], None] = lambda _count: None  # noqa: E731
        submitted = 0

        def start(total: int) -> None:
            nonlocal bar
            bar = announce(total)

        def encode(unseen: list[str]) -> Matrix:
            nonlocal submitted
            offset, submitted = submitted, submitted + len(unseen)
            return self.encoder.encode(unseen, lambda count: bar(offset + count))

        return self._run_context.home.embeddings.fill(texts, encode, self.fingerprint, on_start=start)

    def cached(self, texts: list[str]) -> Matrix:
        """Return the vectors of texts that are all in the cache: (texts, dim)."""
        return self._run_context.home.embeddings.vectors(texts, self.fingerprint)

    def encoded(self, texts: list[str]) -> Matrix:
        """Encode texts without the cache: (texts, dim)."""
        return self.encoder.encode(texts)
