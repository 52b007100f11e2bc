"""Compare Stockroom and Feast as feature stores: a point-in-time join and online lookups on the same data.

Run it with: python tests/bench/feature_store.py [--feast PYTHON] [--events 1000000] [--products 100000] [--json FILE].
PYTHON is that of its own environment, made with: python3 -m venv DIR && DIR/bin/pip install -r
tests/bench/feast/requirements.txt (or set FEAST_PYTHON); without it only Stockroom is measured. Feast reads the same
parquet files with its DuckDB offline store and answers from its SQLite online store.

The join finds for each of as many points as there are events the newest event of its entity, no older than 30 days: the
median of three rounds in one warm process, from a frame in memory to a frame in memory. Lookups ask a warm process for keys
that it was never asked for: one, then a hundred at a time. What the two answer is compared, value by value.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from contracts import prepare
from figures import Bench, arguments, seconds

from orchestration.serving.lookup import Lookup
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.features import offline_store, point_in_time
from warehouse.home import Home
from warehouse.ingest.feature_view_files import ingest_file
from warehouse.ingest.full_snapshot import ingest
from warehouse.lake import tables
from warehouse.lake.lake import connect, snapshot_id
from warehouse.transform.staging import refresh_products, refresh_queries

TTL_DAYS, ROUNDS, SINGLE, BATCHES, WARM = 30, 3, 2000, 200, 50
NUMBERS = [{"name": name, "meaning": name} for name in ("price", "rating", "stock")]
PRICES = FeatureView.model_validate(
    {
        "name": "prices",
        "file": "events.parquet",
        "entity": "product",
        "key": "key",
        "ttl_days": TTL_DAYS,
        "columns": NUMBERS,
    }
)

# Times are distinct within an entity, so that there is one right answer: event i comes in second i of its half year, shuffled.
EVENTS = """
COPY (
    SELECT
        'us:P' || (md5_number_lower(i::VARCHAR) % $entities) AS key,
        to_timestamp(1640995200 + (i * 7919) % 15552000 + i / 1e6) AS event_time,
        (i % 99991) / 100 AS price, (i % 501) / 100 AS rating, CASE WHEN i % 10 > 0 THEN (i % 977)::DOUBLE END AS stock
    FROM range($rows) AS given(i) ORDER BY event_time
) TO '{path}'
"""
POINTS = """
COPY (
    SELECT
        i AS place,
        'us:P' || (md5_number_lower((i + 7)::VARCHAR) % $entities) AS entity_key,
        to_timestamp(1640995200 + (i * 104729) % 15552000 + 0.5) AS as_of
    FROM range($rows) AS given(i)
) TO '{path}'
"""


def make_home(folder: Path, products: int) -> tuple[Home, float]:
    """Return a home with a catalog, its features, and a release that names them; and the seconds that its online table took."""
    prepare(folder / "raw", products)
    home = Home(folder / "home")
    ingest(home.lake, folder / "raw")
    refresh_products(home.lake)
    refresh_queries(home.lake)
    with home.lake.writing() as connection:
        judged = {"judged_at": home.settings.judged_at}
        tables.refresh(connection, CONTRACTS["staging.judgements"], judged)
        tables.refresh(connection, CONTRACTS["splits.queries"], {"validation_percent": 0})
        for table in ("fitted.vocabulary", "features.products", "features.queries"):
            tables.refresh(connection, CONTRACTS[table])
    with home.lake.reading() as connection:
        snapshot = snapshot_id(connection)
    written = seconds(lambda: home.online.write(home.lake, snapshot))
    vector = pl.DataFrame({"key": ["us:P"], "product_id": ["P"], "locale": ["us"], "title": [""], "input_hash": [""]})
    table = home.vectors.apply("bench", [vector.with_columns(vector=pl.lit([1.0, 0.0]))], [], 2)
    home.releases.publish(
        kind="model",
        model_id="bench",
        encoder_fingerprint="bench",
        vector_table="bench",
        vector_version=table.version,
        snapshot=snapshot,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return home, written


def export(home: Home, path: Path) -> list[str]:
    """Write the online table as a parquet file for Feast, and return its keys."""
    release = home.releases.live()
    assert release is not None
    with home.lake.reading(release.snapshot) as connection:
        keys = offline_store.keys(connection, "product")
        rows = pl.concat(offline_store.rows(connection, "product", keys))
    rows.with_columns(as_of=pl.lit(home.settings.judged_at)).write_parquet(path)
    return sorted(keys["key"])


def our_joins(home: Home, folder: Path, events: int, entities: int) -> tuple[list[float], pl.DataFrame]:
    """Return the seconds of each round, and the joined rows: place, price, rating, stock."""
    with connect(memory_gb=4.0) as connection:
        given = {"rows": events, "entities": entities}
        connection.execute(EVENTS.format(path=folder / "events.parquet"), given)
        connection.execute(POINTS.format(path=folder / "points.parquet"), given)
    ingest_file(home.lake, folder, PRICES, datetime.now(UTC))
    points, seconds = pl.read_parquet(folder / "points.parquet"), []
    with home.lake.reading() as connection:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            values = point_in_time.look_up(connection, PRICES, points.select("entity_key", "as_of"))
            seconds.append(time.perf_counter() - started)
    return seconds, points.select("place").hstack(values.rename(lambda name: name.split(".")[1]))


def our_lookups(
    home: Home, keys_by_name: dict[str, list[list[str]]]
) -> tuple[dict[str, list[float]], dict[str, object]]:
    """Return the milliseconds of each lookup, and the result of each key."""
    lookup = Lookup(home)
    milliseconds: dict[str, list[float]] = {}
    answers: dict[str, object] = {}
    for name, batches in keys_by_name.items():
        milliseconds[name] = []
        for keys in batches:
            started = time.perf_counter()
            rows = lookup.products(keys)
            milliseconds[name].append((time.perf_counter() - started) * 1000)
            answers |= {row["key"]: row for row in rows}
    return milliseconds, answers


def summarize(joins: list[float], lookups: dict[str, list[float]]) -> dict[str, Any]:
    """Return the figures of one system: the join in seconds, lookups in milliseconds."""

    def quantiles(name: str) -> dict[str, float]:
        values = lookups[name]
        return {"p50": round(float(np.percentile(values, 50)), 3), "p99": round(float(np.percentile(values, 99)), 3)}

    return {"join_s": round(median(joins), 2), "one_key_ms": quantiles("one"), "hundred_keys_ms": quantiles("hundred")}


def feast(python: str, folder: Path, joined: pl.DataFrame, answers: dict[str, object]) -> dict[str, Any]:
    """Run Feast on the same files, and refuse its figures if its results differ from ours."""
    script = Path(__file__).parent / "feast" / "store.py"
    subprocess.run([python, script, folder, str(TTL_DAYS), str(ROUNDS)], check=True, stdout=subprocess.DEVNULL)
    theirs = pl.read_parquet(folder / "feast_joined.parquet").select(joined.columns).sort("place")
    theirs = theirs.with_columns(pl.col("price", "rating", "stock").fill_nan(None))
    assert joined.equals(theirs), "the joins differ"
    looked_up = json.loads((folder / "feast_looked_up.json").read_text())
    assert {key: answers[key] for key in looked_up} == looked_up, "the lookups differ"
    measured = json.loads((folder / "feast.json").read_text())
    return {**summarize(measured["joins"], measured["lookups"]), "online_write_s": round(measured["write"], 1)}


def main() -> None:
    """Measure both, print and write the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--feast", metavar="PYTHON", default=os.environ.get("FEAST_PYTHON"))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--entities", type=int, default=50_000)
    parser.add_argument("--products", type=int, default=100_000)
    options = parser.parse_args()
    bench = Bench(
        f"Feature store: {options.events:,} points, {options.events:,} events, {options.products:,} products online"
    )
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as made:
        folder = Path(made)
        home, written = make_home(folder, options.products)
        keys = export(home, folder / "products.parquet")
        random.Random(0).shuffle(keys)
        single, batches = keys[: WARM + SINGLE], keys[WARM + SINGLE :]
        keys_by_name = {
            "warm": [[key] for key in single[:WARM]],
            "one": [[key] for key in single[WARM:]],
            "hundred": [batches[100 * place :][:100] for place in range(min(BATCHES, len(batches) // 100))],
        }
        (folder / "keys.json").write_text(json.dumps(keys_by_name))
        joins, joined = our_joins(home, folder, options.events, options.entities)
        lookups, answers = our_lookups(home, keys_by_name)
        ours = summarize(joins, lookups) | {"online_write_s": round(written, 1)}
        theirs = feast(options.feast, folder, joined, answers) if options.feast else None
    if theirs is None:
        print("Feast is left out: name the python of its environment with --feast")
    bench.facts |= {"points_with_value": joined["price"].count(), "stockroom": ours, "feast": theirs}
    add_figures(bench, ours, theirs)
    bench.finish(options.json)


def add_figures(bench: Bench, ours: dict[str, Any], theirs: dict[str, Any] | None) -> None:
    """Add each figure, with that of Feast as the reference if it was measured."""

    def beside(value: Callable[[dict[str, Any]], float]) -> dict[str, Any]:
        return {"beside": "Feast", "reference": value(theirs)} if theirs else {}

    # A fifth of Feast's time; the bounds of lookups are in milliseconds, whatever Feast takes: its figures are told alone.
    bench.add("join", ours["join_s"], "s", **beside(lambda of: of["join_s"]), at_most=0.2 if theirs else None)
    for name, words, bound in (("one_key_ms", "one key", 10), ("hundred_keys_ms", "a hundred keys", 20)):
        bench.add(f"{words}, p50", ours[name]["p50"], "ms", **beside(lambda of, name=name: of[name]["p50"]))
        bench.add(f"{words}, p99", ours[name]["p99"], "ms", at_most=bound)
        if theirs:
            bench.add(f"{words}, p99, Feast", theirs[name]["p99"], "ms")
    bench.add("writing the online table", ours["online_write_s"], "s", **beside(lambda of: of["online_write_s"]))


if __name__ == "__main__":
    main()
