"""The ranker of a release at search time: features of the candidates by SQL, and their order, without Dagster and torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.ranking.candidates import Candidates
from models.ranking.ordering import Ordering
from models.ranking.ranker_files import StoredRanker
from warehouse.features.pair_features import PairFeatures
from warehouse.search.ranked_attributes import from_rows
from warehouse.search.spelling import Spelling

ProductRows = Callable[[Sequence[str]], Sequence[Mapping[str, Any] | None]]


@dataclass(frozen=True)
class Scored:
    """Hold the candidates of one query, best first.

    Attributes:
        products: the columns of the text index, and `cosine`, `score`, `text_score`, `vector_rank` and `text_rank`.
        features: the pair features of the same rows.
    """

    products: pl.DataFrame
    features: pl.DataFrame


class CandidateRanker:
    """Order the candidates of a query as the ranker of a release learned it."""

    def __init__(self, directory: Path, product_rows: ProductRows) -> None:
        """Read the ranker's files.

        Args:
            directory: The ranker's folder.
            product_rows: Returns the features of products by key, None for an unknown one.

        Raises:
            ModelError: A file is missing or damaged.
        """
        stored = StoredRanker.load(directory)
        self.ordering, self.per_leg = stored.ordering, stored.per_leg
        self.locales = stored.words["locale"].unique().sort().to_list()
        self._translations, self._attributes, self._product_rows = stored.translations, stored.attributes, product_rows
        self._features = PairFeatures(stored.words)
        self.spelling = Spelling(stored.words, stored.spellings) if stored.corrects_spelling else None
        """What corrects the words of a query that the catalog does not know; None where validation did not show that it helps."""

    def features(self, query: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
        """Return what the ranker reads of one query and its candidates, in their order: pair features, attributes of products.

        Args:
            query: One row a locale: the columns of `pair_features.QUERY_COLUMNS`, with the locale as its key.
            products: The columns of the text index, each product once.
        """
        pairs = products.select(pl.col("locale").alias("query_key"), pl.col("key").alias("product_key"))
        features = self._features(pairs, query, products)
        if not self._attributes:
            return features
        return features.hstack(from_rows(self._product_rows(products["key"].to_list()), self._attributes))

    def ordered(
        self,
        query: pl.DataFrame,
        products: pl.DataFrame,
        features: pl.DataFrame,
        ordering: Ordering | None = None,
        *,
        is_readable: bool,
    ) -> Scored:
        """Score the candidates of one query and sort them; equal scores keep the order of the rows.

        Args:
            query: As for `features`.
            products: The columns of the text index and `cosine`, sorted by product id and key.
            features: The pair features of the same rows.
            ordering: Another way to order than the ranker's own.
            is_readable: Whether the encoder knows the query's words.
        """
        candidates = Candidates(
            np.array([0, products.height]),
            products["cosine"].to_numpy(),
            features.select(pl.all().cast(pl.Float64)).fill_null(np.nan).to_numpy(),
            self._likelihoods(query, products),
            tuple(features.columns),
            products["locale"].to_numpy().astype(np.str_),
            np.array([is_readable]),
            np.ones(products.height, bool),
        )
        scores: NDArray[np.float64] = (ordering or self.ordering)(candidates)
        order = np.argsort(-scores, kind="stable")
        scored = products.with_columns(
            score=scores,
            text_score=candidates.text_scores,
            vector_rank=candidates.vector_ranks.astype(np.int64),
            text_rank=candidates.text_ranks.astype(np.int64),
        )
        return Scored(scored[order], features[order])

    def _likelihoods(self, query: pl.DataFrame, products: pl.DataFrame) -> NDArray[np.float64]:
        """Return the likelihood of the query for each product's title: (products,)."""
        likelihoods = np.full(products.height, np.nan)
        for locale, words in query.select("locale", "words").iter_rows():
            rows = (products["locale"] == locale).arg_true()
            titles = products["title_words"].gather(rows).to_list()
            likelihoods[rows.to_numpy()] = self._translations.likelihoods(words.split(), locale, titles)
        return likelihoods
