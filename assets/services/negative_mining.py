"""Negative mining: products near a train query that nobody judged relevant to it, found by the frozen encoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assets.run_context import RunContext
from assets.services.text_vectors import Matrix, TextVectors, product_texts, query_texts
from models.labels import LABEL_CODES
from models.training.hard_negative_mining import JudgedRows, Mined, mine
from warehouse.code_digest import digest
from warehouse.errors import WarehouseError
from warehouse.features import hard_negatives as stored
from warehouse.features.hard_negatives import MINING, NEGATIVES
from warehouse.lake import tables

_COUNTS = ("looked_at", "relevant", "skipped", "too_close")


def refresh_negatives(run_context: RunContext) -> dict[str, Any]:
    """Mine and write hard negatives, unless they were mined from these inputs before; return the changes by table.

    Raises:
        WarehouseError: Training needs hard negatives, and the settings mine none.
    """
    lake, settings = run_context.home.lake, run_context.mining
    if run_context.training.mined_per_query and not settings.per_query:
        raise WarehouseError(
            "training needs hard negatives (training.mined_per_query), but none are mined (mining.per_query is 0)",
            "set both settings, or neither",
        )
    if not settings.per_query:
        return dict(stored.write(lake, tables.no_rows(NEGATIVES), tables.no_rows(MINING)))
    inputs = digest(*stored.versions(lake), TextVectors(run_context).fingerprint, settings.model_dump_json())
    if stored.mined_from(lake) == inputs:
        return {}
    rows, counts = mine_negatives(run_context)
    return dict(stored.write(lake, rows, pl.DataFrame({"key": "negatives", "inputs": inputs, **counts})))


def mine_negatives(run_context: RunContext) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows of training.negatives and the counts of training.mining; mine one locale at a time.

    Memory holds the texts, the query vectors and the vectors of `product_rows` products.
    """
    lake, settings = run_context.home.lake, run_context.mining
    queries, products = stored.queries(lake, settings.queries), stored.products(lake)
    judged = stored.judgements(lake, queries)
    vectors, progress = TextVectors(run_context), 0
    on_progress = run_context.progress("mining negatives", total=products.height)

    def blocks(rows: pl.DataFrame) -> Iterator[Matrix]:
        nonlocal progress
        for block in rows.iter_slices(settings.product_rows):
            yield vectors.cached(product_texts(block))
            progress += block.height
            on_progress(progress)

    counts = dict.fromkeys(_COUNTS, 0)
    parts = [tables.no_rows(NEGATIVES)]
    for (locale,), locale_queries in queries.group_by("locale", maintain_order=True):
        catalog = products.filter(pl.col("locale") == locale)
        part = _Part(locale_queries["key"], catalog["key"])
        mining = mine(vectors.cached(query_texts(locale_queries)), blocks(catalog), part.rows_of(judged), settings)
        parts.append(part.frame(mining))
        counts = {name: count + getattr(mining, name) for name, count in counts.items()}
    rows = pl.concat(parts, how="vertical_relaxed")
    return rows, {"queries": queries.height, **counts, "negatives": rows.height}


@dataclass(frozen=True)
class _Part:
    """Map the query and product keys of one locale to row numbers and back."""

    queries: pl.Series
    products: pl.Series

    def rows_of(self, judged: pl.DataFrame) -> JudgedRows:
        query = pl.DataFrame({"query_key": self.queries}).with_row_index("query")
        product = pl.DataFrame({"product_key": self.products}).with_row_index("product")
        rows = judged.join(query, on="query_key").join(product, on="product_key")
        return JudgedRows(
            rows["query"].to_numpy().astype(np.int64),
            rows["product"].to_numpy().astype(np.int64),
            rows["label"].replace_strict(LABEL_CODES, return_dtype=pl.Int8).to_numpy(),
        )

    def frame(self, mining: Mined) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "query_key": self.queries[mining.query],
                "product_key": self.products[mining.product],
                "rank": mining.rank,
                "score": mining.score,
                "positive_key": self.products[mining.positive],
                "positive_score": mining.positive_score,
                "label": pl.Series(mining.irrelevant).replace_strict({True: "I"}, default=None, return_dtype=pl.String),
            }
        ).select(pl.format("{}:{}", "query_key", "product_key").alias("key"), pl.all())


def negatives_fingerprint(run_context: RunContext) -> str:
    """Return the digest of the query-product pairs that training uses as hard negatives."""
    return digest(*stored.pairs(run_context.home.lake)["key"])
