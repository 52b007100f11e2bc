"""The Feast part of tests/bench/feature_store.py, run by the Python of Feast's environment on the data in a folder.

It reads the parquet files that the benchmark wrote, and writes `feast.json` (seconds of each join, milliseconds of each
lookup), `feast_joined.parquet` and `feast_looked_up.json` (the results, for comparison).
"""

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

os.environ["FEAST_USAGE"] = "False"

import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.repo_config import RepoConfig
from feast.types import Bool, Float64, Int64, String


def feature_view(name, entity, path, timestamp, ttl):
    """Return a view of all columns of a parquet file but key and time."""
    types = {"int32": Int64, "int64": Int64, "double": Float64, "bool": Bool}
    fields = [
        Field(name=field.name, dtype=types.get(str(field.type), String))
        for field in pq.read_schema(path)
        if field.name not in ("key", timestamp)
    ]
    source = FileSource(path=str(path), timestamp_field=timestamp)
    return FeatureView(name=name, entities=[entity], ttl=ttl, schema=fields, source=source), [
        f"{name}:{field.name}" for field in fields
    ]


def main(folder, ttl_days, rounds):
    """Join three times, then look up what `keys.json` asks for."""
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "feast_registry.db"),
        offline_store=DuckDBOfflineStoreConfig(),
        online_store=SqliteOnlineStoreConfig(path=str(folder / "feast_online.db")),
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    product = Entity(name="product", join_keys=["key"], value_type=ValueType.STRING)
    prices, price_features = feature_view(
        "prices", product, folder / "events.parquet", "event_time", timedelta(days=ttl_days)
    )
    products, product_features = feature_view("products", product, folder / "products.parquet", "as_of", None)
    store.apply([product, prices, products])

    points = pd.read_parquet(folder / "points.parquet").rename(
        columns={"as_of": "event_timestamp", "entity_key": "key"}
    )
    joins = []
    for _ in range(rounds):
        started = time.perf_counter()
        joined = store.get_historical_features(entity_df=points, features=price_features).to_df()
        joins.append(time.perf_counter() - started)
    joined.to_parquet(folder / "feast_joined.parquet")

    started = time.perf_counter()
    rows = pd.read_parquet(folder / "products.parquet")
    for start in range(0, len(rows), 20_000):
        store.write_to_online_store("products", rows.iloc[start : start + 20_000])
    written = time.perf_counter() - started

    keys_by_name = json.loads((folder / "keys.json").read_text())
    looked_up, milliseconds = {}, {}
    for name, batches in keys_by_name.items():
        milliseconds[name] = []
        for keys in batches:
            started = time.perf_counter()
            answer = store.get_online_features(product_features, [{"key": key} for key in keys]).to_dict()
            milliseconds[name].append((time.perf_counter() - started) * 1000)
            for place, key in enumerate(keys):
                looked_up[key] = {column: values[place] for column, values in answer.items()}
    (folder / "feast_looked_up.json").write_text(json.dumps(looked_up))
    (folder / "feast.json").write_text(json.dumps({"joins": joins, "lookups": milliseconds, "write": written}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
