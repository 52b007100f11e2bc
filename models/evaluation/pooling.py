"""Pooling: join evaluations of different queries into one, as for the folds of a small data set."""

from collections.abc import Sequence

import polars as pl

from models.errors import ModelError
from models.evaluation.evaluate import Evaluation


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Join evaluations of the same rankers over the same catalog; every query belongs to one of them.

    Queries are sorted by locale and id, whatever their fold, so that a bootstrap draws the same ones.

    Raises:
        ModelError: There is no evaluation, or a query was measured in two of them.
    """
    if not evaluations:
        raise ModelError("there is no evaluation to pool", "hold out at least one fold")
    rows = pl.concat([one.rows for one in evaluations]).sort("ranker", "locale", "query_id")
    if rows.select(pl.struct("ranker", "locale", "query_id").is_duplicated().any()).item():
        raise ModelError("a query was measured in two folds", "hold out every query once")
    rankings = pl.concat([one.rankings for one in evaluations]).sort("locale", "query_id", "product_id")
    products = {locale: size for one in evaluations for locale, size in one.products.items()}
    slices = pl.concat([one.slices for one in evaluations]).sort("slice", "locale", "query_id")
    return Evaluation(rows, rankings, products, slices)
