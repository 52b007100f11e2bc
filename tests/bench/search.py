"""Measure searches over 100,000 products: the whole command from a cold shell, and a warm searcher on queries it never saw.

Run it with: python tests/bench/search.py [--products 100000] [--encoded 20000] [--queries FILE] [--folder DIR] [--json FILE]. It
builds a home from a small invented catalog, so that encoder, query tower and features are those of a real build, and publishes
a release whose vector table has as many products as asked for, written and indexed by the vector store itself. Vectors are the
encoder's, of the titles of a large invented catalog by way of the embedding cache; beyond --encoded of them (encoding takes
minutes) they are encoded ones with some noise. FILE is an examples file of ESCI; without one it is that of the folder `esci`
beside the checkout's parent (`../shared/esci`), and where there is none the queries are the invented catalog's. With
--folder the home is kept, and used again.

A warm searcher is asked each query once, by one thread, after some others; encoding it and searching the vectors are also timed
apart. That a search loads neither torch nor Dagster is a test (tests/orchestration/test_searcher.py).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from figures import Bench, arguments, in_own_process, peak_mb, seconds

from models.encoder.loading import open_encoder
from models.encoder.text_template import query_text
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.home import Home
from warehouse.sample import write_esci
from warehouse.transform.text_cleaning import amounts_of, words_of
from warehouse.transform.words import query_words

PRODUCTS, EXAMPLES = "shopping_queries_dataset_products.parquet", "shopping_queries_dataset_examples.parquet"
SHARED = Path(__file__).parents[3] / "shared" / "esci" / EXAMPLES
STOCKROOM = Path(sys.executable).parent / "stockroom"
BUILT_PRODUCTS, WARM_QUERIES, PIECE_ROWS, NOISE = 500, 50, 20_000, 0.02


def make_home(folder: Path, products: int, encoded: int) -> dict[str, Any]:
    """Build a home and publish a release with the requested number of products; return its facts."""
    write_esci(folder / "small", BUILT_PRODUCTS, 7)
    built = [STOCKROOM, "build", "--raw", folder / "small", "--home", folder / "home", "--json"]
    subprocess.run(built, check=True, stdout=subprocess.DEVNULL)
    settings = load_settings(folder / "home")
    home = open_home(settings)
    live = home.releases.live()
    assert live is not None
    rows = catalog(folder, products)
    titles = rows["title"].head(encoded).to_list()
    encoder = open_encoder(settings.encoder, home.encoders, live.encoder_fingerprint)
    filled = seconds(lambda: home.embeddings.fill(titles, encoder.encode, encoder.fingerprint))
    vectors = home.embeddings.vectors(titles, encoder.fingerprint)
    written = home.vectors.apply("bench", pieces(rows, vectors), [], encoder.dim)
    indexed = seconds(lambda: home.vectors.refresh_index("bench"))
    status = home.vectors.index_status("bench")
    text_write: list[Any] = []
    texts_s = seconds(lambda: text_write.append(home.texts.apply(pieces_of(texts_of(rows)), stale_keys(home))))
    texts_s += seconds(home.texts.refresh_index)
    changed = rows.head(max(1, rows.height // 100)).with_columns(title=pl.concat_str("title", pl.lit(" renewed")))
    changed_s = seconds(lambda: text_write.append(home.texts.apply(pieces_of(texts_of(changed)), [])))
    home.releases.publish(
        kind="model",
        model_id=live.model_id,
        encoder_fingerprint=live.encoder_fingerprint,
        vector_table="bench",
        vector_version=home.vectors.refresh_index("bench"),
        snapshot=live.snapshot,
        published_at=datetime.now(UTC),
        ranker_id=live.ranker_id,
        text_version=text_write[-1].version,
    )
    facts = {"products": written.upserted, "indexed": status.indexed, "encode_s": filled, "index_s": indexed}
    return facts | {"texts_s": texts_s, "texts_changed_s": changed_s}


def catalog(folder: Path, products: int) -> pl.DataFrame:
    """Return `key`, `product_id`, `locale` and the texts of the products of a large invented catalog."""
    write_esci(folder / "large", int(products * 1.05) + 100, 8)
    source = pl.read_parquet(folder / "large" / PRODUCTS)
    rows = source.select(
        "product_id",
        locale="product_locale",
        title=pl.col("product_title").fill_null(""),
        brand="product_brand",
        color="product_color",
        bullet_points="product_bullet_point",
        description="product_description",
    )
    rows = (
        rows.drop_nulls(["product_id", "locale"])
        .unique(["locale", "product_id"], keep="first", maintain_order=True)
        .head(products)
    )
    shutil.rmtree(folder / "large")
    return rows.select(pl.format("{}:{}", "locale", "product_id").alias("key"), pl.all())


def texts_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their words, as the staging tables have them."""
    return rows.with_columns(
        title_words=words_of("title", "brand", "color"),
        body_words=words_of("bullet_points", "description"),
        amounts=amounts_of("title"),
        input_hash=pl.lit(""),
    )


def pieces_of(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows of the text index."""
    yield from texts.iter_slices(PIECE_ROWS)


def stale_keys(home: Home) -> list[str]:
    """Return the keys of the small catalog's products, which the release does not have."""
    return home.texts.current()["key"].to_list()


def pieces(rows: pl.DataFrame, vectors: np.ndarray[Any, np.dtype[np.float32]]) -> Iterator[pl.DataFrame]:
    """Yield the rows with vectors: first their own, then others' with noise."""
    rng = np.random.default_rng(0)
    for start in range(0, rows.height, PIECE_ROWS):
        piece = rows.slice(start, PIECE_ROWS)
        places = np.arange(start, start + piece.height)
        noise = NOISE * rng.standard_normal((piece.height, vectors.shape[1]), dtype=np.float32)
        given = vectors[places % len(vectors)] + noise * (places >= len(vectors))[:, None]
        given /= np.linalg.norm(given, axis=1, keepdims=True)
        series = pl.Series("vector", given, dtype=pl.Array(pl.Float32, given.shape[1]))
        yield piece.select("key", "product_id", "locale", "title").with_columns(series, input_hash=pl.lit(""))


def queries_of(given: Path | None, folder: Path, count: int) -> tuple[list[str], str]:
    """Return distinct queries and their source."""
    path = given or (SHARED if SHARED.is_file() else folder / "small" / EXAMPLES)
    frame = pl.read_parquet(path, columns=["query"])
    queries = frame["query"].drop_nulls().str.strip_chars().unique(maintain_order=True).to_list()
    return [query for query in queries if query][:count], path.parent.name


def warm(folder: Path) -> dict[str, Any]:
    """Run every query once with a warm searcher; return the milliseconds in total, of encoding and of searching."""
    settings = load_settings(folder / "home")
    home: Home = open_home(settings)
    searcher = Searcher(home, settings.encoder)
    queries = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    for query in queries[:WARM_QUERIES]:
        searcher.search(query)
    milliseconds: dict[str, list[float]] = {"whole": [], "encoding": [], "vectors": [], "texts": []}
    timed_queries = queries[WARM_QUERIES:]
    whole, apart = timed_queries[: len(timed_queries) // 2], timed_queries[len(timed_queries) // 2 :]
    for query in whole:
        started = time.perf_counter()
        searcher.search(query)
        milliseconds["whole"].append(1000 * (time.perf_counter() - started))
    release, encoder = searcher.release, searcher._open.encoder
    for query in apart:
        started = time.perf_counter()
        vector = encoder.encode([query_text(query)])[0]
        between = time.perf_counter()
        home.vectors.search(release.vector_table, release.vector_version, vector, 10, None)
        searched = time.perf_counter()
        home.texts.search(release.text_version, query_words(query, "us"), 100)
        milliseconds["encoding"].append(1000 * (between - started))
        milliseconds["vectors"].append(1000 * (searched - between))
        milliseconds["texts"].append(1000 * (time.perf_counter() - searched))
    return {**milliseconds, "peak_mb": peak_mb()}


def main() -> None:
    """Measure, print and write the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--encoded", type=int, default=20_000, help="products whose vector is that of their own title")
    parser.add_argument("--queries", type=Path, metavar="FILE", help="examples file with the queries to ask")
    parser.add_argument("--count", type=int, default=1000, help="how many queries")
    parser.add_argument("--rounds", type=int, default=5, help="how many cold searches, and warm searchers")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the home here, and use the one that is there")
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.warm:
        print(json.dumps(warm(options.warm)))
        return
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as made:
        folder = (options.folder or Path(made)) / str(options.products)
        facts_file = folder / "facts.json"
        if not facts_file.is_file():
            facts = make_home(folder, options.products, min(options.encoded, options.products))
            facts_file.write_text(json.dumps(facts), encoding="utf-8")
        facts = json.loads(facts_file.read_text(encoding="utf-8"))
        queries, source = queries_of(options.queries, folder, options.count)
        (folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")
        bench = Bench(f"Search: {facts['products']:,} products, {len(queries):,} queries of {source}")
        bench.facts |= facts
        colds, warms = [], []
        for turn in range(options.rounds):
            command = [STOCKROOM, "search", queries[turn], "--json", "--home", folder / "home"]
            colds.append(seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)))  # noqa: B023
            warms.append(in_own_process(__file__, "--warm", folder))
        bench.add("stockroom search, the whole process", median(colds), "s", at_most=4.0)
        bench.add("text index, from products", facts["texts_s"], "s", at_most=20.0)
        bench.add("text index, 1 % changed", facts["texts_changed_s"], "s", at_most=0.05 * facts["texts_s"])
        for name, words, bound in (
            ("whole", "warm searcher, a new query", {50: 40.0, 99: 80.0}),
            ("encoding", "of that, encoding the query", None),
            ("vectors", "of that, the vector leg alone", None),
            ("texts", "of that, the text leg alone", None),
        ):
            for percent in (50, 99):
                value = median(float(np.percentile(each[name], percent)) for each in warms)
                bench.add(f"{words}, p{percent}", value, "ms", at_most=bound[percent] if bound else None)
        bench.add("warm searcher, most memory", median(each["peak_mb"] for each in warms), "MB")
        bench.finish(options.json)


if __name__ == "__main__":
    main()
