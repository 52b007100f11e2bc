"""Datasets: the frames that the model and the index read from the lake, each by an SQL file in `sql/datasets/`."""

from collections.abc import Sequence

import duckdb
import polars as pl

from warehouse.features import point_in_time, training_lookup
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.lake.sql_tree import restrict, tables_read


def products(lake: Lake, snapshot: int | None = None, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return every product, sorted by locale and id: key, product_id, locale, title, brand, color, features, feature_hash.

    Each time-series feature has its latest value at the lake's as-of time. With `keys` (a frame with the column `key`) only
    those products are read.
    """
    with lake.reading(snapshot) as connection:
        frame = connection.sql(among(connection, "datasets.products", keys)).pl()
        with_feature_views = point_in_time.add_features(connection, frame, {"product": "key"})
    added = with_feature_views.columns[frame.width :]
    if not added:
        return frame
    values = pl.concat_str("feature_hash", pl.struct(added).struct.json_encode(), separator="\x1f")
    return with_feature_views.with_columns(feature_hash=values)


def queries(lake: Lake, snapshot: int | None = None, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return every query, or those with `keys`: key, query_id, query and its features."""
    with lake.reading(snapshot) as connection:
        return connection.sql(among(connection, "datasets.queries", keys)).pl()


def texts(lake: Lake, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the rows of the text index, or those with `keys`: key, product_id, locale, texts, words and input_hash."""
    with lake.reading() as connection:
        return connection.sql(among(connection, "datasets.texts", keys)).pl()


def some_texts(lake: Lake, rows: int) -> pl.DataFrame:
    """Return the first rows of the text index by key."""
    with lake.reading() as connection:
        return connection.execute(f"FROM ({tables.sql('datasets.texts')}) ORDER BY key LIMIT ?", [rows]).pl()


def text_hashes(lake: Lake, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return key and input_hash of the rows of the text index, or of those with `keys`."""
    with lake.reading() as connection:
        return connection.sql(among(connection, "datasets.text_hashes", keys)).pl()


def training_pairs(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return the train and validation pairs: key, query_key, product_key, label, split, time-series features at judged_at."""
    with lake.reading(snapshot) as connection:
        return training_lookup.add_training_features(
            connection, connection.sql(tables.sql("datasets.training_pairs")).pl()
        )


def task1_judgements(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return the test pairs of task 1: locale, query_key, query_id, query, product_key, product_id, label."""
    return held_out_judgements(lake, snapshot).filter("small_version").drop("small_version")


def held_out_judgements(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return all test pairs: locale, query_key, query_id, query, product_key, product_id, label, small_version."""
    return _split_judgements(lake, "test", snapshot)


def train_judgements(lake: Lake) -> pl.DataFrame:
    """Return the train pairs: locale, query_key, query_id, query, product_key, product_id, label."""
    return _split_judgements(lake, "train").drop("small_version")


def validation_judgements(lake: Lake) -> pl.DataFrame:
    """Return the validation pairs: locale, query_key, query_id, query, product_key, product_id, label."""
    return _split_judgements(lake, "validation").drop("small_version")


def _split_judgements(lake: Lake, split: str, snapshot: int | None = None) -> pl.DataFrame:
    with lake.reading(snapshot) as connection:
        return connection.execute(tables.sql("datasets.split_judgements"), {"split": split}).pl()


def judged_queries(lake: Lake) -> dict[str, int]:
    """Return the number of queries with an Exact product, by split; a split without one is left out."""
    with lake.reading() as connection:
        if not tables.exists(connection, "training.pairs"):
            return {}
        return dict(connection.sql(tables.sql("datasets.judged_queries")).fetchall())


def trained_queries(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return the query texts of the train and validation splits: locale, query in lower case."""
    return read(lake, "trained_queries", snapshot)


def vocabulary(lake: Lake, snapshot: int | None = None) -> pl.DataFrame:
    """Return the columns of fitted.vocabulary, sorted by key."""
    return read(lake, "vocabulary", snapshot)


def metrics(lake: Lake, model_id: str) -> pl.DataFrame:
    """Return the metrics of a model, the columns of evaluation.metrics without key; empty if it was not evaluated."""
    with lake.reading() as connection:
        if "slice" not in tables.columns(connection, "evaluation.metrics"):  # not there yet, or an older version's
            return pl.DataFrame(schema={"inputs": pl.String})
        return connection.execute(tables.sql("datasets.metrics"), {"model_id": model_id}).pl()


def known_items(lake: Lake, model_id: str) -> pl.DataFrame:
    """Return the searches for known products by a model: locale, ranker, metric, value, queries, inputs."""
    with lake.reading() as connection:
        if not tables.exists(connection, "evaluation.known_items"):
            return pl.DataFrame(schema={"inputs": pl.String})
        return connection.execute(tables.sql("datasets.known_items"), {"model_id": model_id}).pl()


def compared_queries(lake: Lake, model_id: str) -> pl.DataFrame:
    """Return each evaluated test query of a model with the NDCG and first Exact rank of model and encoder."""
    with lake.reading() as connection:
        return connection.execute(tables.sql("datasets.compared_queries"), {"model_id": model_id}).pl()


def sampled_queries(lake: Lake, queries: int, seed: int, snapshot: int | None = None) -> pl.DataFrame:
    """Return some judged queries, drawn by `seed`: key, locale, query."""
    with lake.reading(snapshot) as connection:
        return connection.execute(tables.sql("datasets.sampled_queries"), {"queries": queries, "seed": seed}).pl()


def sampled_titles(lake: Lake, titles: int) -> pl.DataFrame:
    """Return up to `titles` titles of products of each locale, chosen by key: locale, title."""
    with lake.reading() as connection:
        return connection.execute(tables.sql("datasets.sampled_titles"), {"titles": titles}).pl()


def distinct_texts(lake: Lake, snapshots: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the distinct encoded texts of products (title, brand, color) and of queries (query).

    The rows are those of the newest state and of the states as of the snapshots, in no particular order.
    """
    with lake.reading() as connection:
        return (
            _ever(connection, "SELECT title, brand, color FROM staging.products", snapshots),
            _ever(connection, "SELECT query FROM staging.queries", snapshots),
        )


def _ever(connection: duckdb.DuckDBPyConnection, select: str, snapshots: Sequence[int]) -> pl.DataFrame:
    """Return the distinct rows of a statement that ends with its table, over the newest state and those as of snapshots."""
    states = [select, *(f"{select} AT (VERSION => ?)" for _ in snapshots)]
    return connection.execute(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(states)})", list(snapshots)).pl()


def read(lake: Lake, name: str, snapshot: int | None = None) -> pl.DataFrame:
    """Return the result of the file `sql/datasets/<name>.sql`."""
    with lake.reading(snapshot) as connection:
        return connection.sql(tables.sql(f"datasets.{name}")).pl()


def among(connection: duckdb.DuckDBPyConnection, name: str, keys: pl.DataFrame | None) -> str:
    """Return the SQL of a dataset whose tables have one key, restricted to some keys (a frame, key); None: all."""
    if keys is None:
        return tables.sql(name)
    connection.register("keys_among", keys.select("key"))
    sql = tables.sql(name)
    return restrict(connection, sql, dict.fromkeys(tables_read(sql), "key IN (FROM keys_among)"))
