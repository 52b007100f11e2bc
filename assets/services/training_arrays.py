"""Training arrays: a row for each query and product, and one more for each other value of their time-series features."""

import numpy as np
import numpy.typing as npt
import polars as pl

from assets.run_context import RunContext
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from models.labels import LABEL_CODES
from models.towers.feature_encoder import FeatureSpec
from models.training.dataset import TrainingData
from warehouse.contracts.time_series import FeatureView
from warehouse.features import datasets, hard_negatives

Rows = npt.NDArray[np.int64]


def training_data(
    run_context: RunContext, vectors: TextVectors, query_spec: FeatureSpec, product_spec: FeatureSpec
) -> TrainingData:
    """Return the newest training pairs as arrays over all queries and products of the lake.

    Products come first as the catalog has them at the lake's as-of time; validation searches these rows. Then follow
    products with the time-series features that judged pairs saw at another time. A query has one row for each set of
    time-series features that it was judged with.
    """
    lake = run_context.home.lake
    catalog, query_frame, pairs = datasets.products(lake), datasets.queries(lake), datasets.training_pairs(lake)
    products, product_row, product_index = _product_rows(catalog, pairs, columns_of(run_context, "product"))
    queries, query_group, query_index = _query_rows(query_frame, pairs, columns_of(run_context, "query", "context"))
    mined_query, mined_product = _mined_rows(run_context, query_frame, catalog)
    return TrainingData(
        query_vectors=_spread(vectors.cached(query_texts(query_frame)), query_group),
        product_vectors=_spread(vectors.cached(product_texts(catalog)), product_row),
        query_features=queries.select(query_spec.columns),
        product_features=products.select(product_spec.columns),
        query_locale=queries["locale"].to_numpy().astype(np.str_),
        product_locale=products["locale"].to_numpy().astype(np.str_),
        query_index=query_index,
        product_index=product_index,
        label=pairs["label"].replace_strict(LABEL_CODES, return_dtype=pl.Int8).to_numpy(),
        split=pairs["split"].to_numpy().astype(np.str_),
        query_group=query_group,
        product_row=product_row,
        mined_query=mined_query,
        mined_product=mined_product,
    )


def _spread(vectors: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.float32]:
    """Return the vectors of these rows, without a copy if every row occurs once: a copy would double the largest array."""
    return vectors if np.array_equal(rows, np.arange(len(vectors))) else vectors[rows]


def columns_of(run_context: RunContext, *entities: str) -> list[str]:
    """Return the names of all declared time-series features of these entities; static features are the same in every row."""

    def names(table: FeatureView) -> list[str]:
        varies = table.entity in entities and not table.is_static
        return [table.feature(column.name) for column in table.columns] if varies else []

    return [name for table in run_context.home.feature_views for name in names(table)]


def _product_rows(
    catalog: pl.DataFrame, pairs: pl.DataFrame, feature_views: list[str]
) -> tuple[pl.DataFrame, Rows, Rows]:
    """Return the product rows, the catalog row of each, and the row of each pair."""
    catalog_rows = catalog.select("key", *feature_views).with_row_index("place")
    pair_features = pairs.select("product_key", *feature_views).unique(maintain_order=True)
    variants = pair_features.join(
        catalog_rows,
        left_on=["product_key", *feature_views],
        right_on=["key", *feature_views],
        how="anti",
        nulls_equal=True,
    )
    variants = variants.join(
        catalog_rows.select("key", "place"), left_on="product_key", right_on="key", maintain_order="left"
    )
    variant_rows = catalog[variants["place"]].with_columns(variants.select(feature_views))
    products = pl.concat([catalog, variant_rows])
    index = _index(pairs, "product_key", products, feature_views)
    return products, np.concatenate([np.arange(catalog.height), variants["place"].to_numpy()]).astype(np.int64), index


def _query_rows(
    query_frame: pl.DataFrame, pairs: pl.DataFrame, feature_views: list[str]
) -> tuple[pl.DataFrame, Rows, Rows]:
    """Return the query rows, the query of each, and the row of each pair."""
    if not feature_views:
        return query_frame, np.arange(query_frame.height), _index(pairs, "query_key", query_frame, feature_views)
    pair_features = pairs.select("query_key", *feature_views).unique(maintain_order=True)
    queries = query_frame.with_row_index("place").join(
        pair_features, left_on="key", right_on="query_key", maintain_order="left_right"
    )
    return queries, queries["place"].to_numpy().astype(np.int64), _index(pairs, "query_key", queries, feature_views)


def _mined_rows(run_context: RunContext, query_frame: pl.DataFrame, catalog: pl.DataFrame) -> tuple[Rows, Rows]:
    """Return the query row and the catalog row of each hard negative; empty arrays if training uses none."""
    if not run_context.training.mined_per_query:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pairs = hard_negatives.pairs(run_context.home.lake)
    return _index(pairs, "query_key", query_frame, []), _index(pairs, "product_key", catalog, [])


def _index(pairs: pl.DataFrame, key: str, rows: pl.DataFrame, feature_views: list[str]) -> Rows:
    """Return the row of each pair."""
    matches = pairs.select(key, *feature_views).join(
        rows.select("key", *feature_views).with_row_index("row"),
        left_on=[key, *feature_views],
        right_on=["key", *feature_views],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return matches["row"].to_numpy().astype(np.int64)
