"""Measure the vector index at full size: how long it takes to build, what it finds, and how fast one thread searches it.

Run it with: python tests/bench/vector_index.py [--rows 1000000] [--raw DIR] [--faiss PYTHON].

The vectors have the structure of real embeddings: titles and queries of an ESCI folder (the real slice beside the checkout
where there is one, else an invented catalog) go through the encoder; then each vector grows into many, by moving it some
way toward one of its nearest neighbors and adding noise that lies in the directions in which its neighbors differ from
it. Queries are those of the folder, and are not grown. Exact search by NumPy on the same vectors is what recall is measured
against; FAISS, where its Python is named, is searched at the least effort that reaches the recall asked for. Every search
runs on one core (CPU affinity), without encoding. At last a hundredth of the rows is written again, ten times over, as ten
applies do, and the same is asked.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from figures import Bench, arguments, in_own_process, peak_mb

from models.encoder.loading import load_encoder
from models.settings import EncoderSettings
from warehouse.sample import write_esci
from warehouse.vectors.lance_tables import to_vectors
from warehouse.vectors.product_vectors import VectorStore

K = 10
CHANGES = 10
UNINDEXED_SHARE = 0.05  # the setting's default
RECALL = 0.98
REAL = Path(__file__).parents[3] / "shared" / "esci"
NEIGHBORS = 10
NOISE = 0.5  # of the spread between a vector and its neighbors
BATCH = 50_000
TABLE = "products_bench"

Matrix = npt.NDArray[np.float32]


def prepare(folder: Path, raw: Path | None, rows: int, queries: int, seed: int) -> dict[str, object]:
    """Write vectors.npy (rows, dim), queries.npy (queries, dim) and exact.npy (queries, K), the rows of the true nearest."""
    if raw is None:
        raw = folder / "sample"
        write_esci(raw, 10_000, seed=7)
    titles = pl.read_parquet(raw / "shopping_queries_dataset_products.parquet")["product_title"].drop_nulls().unique()
    query_texts = (
        pl.read_parquet(raw / "shopping_queries_dataset_examples.parquet")["query"].drop_nulls().unique().sort()
    )
    encoder = load_encoder(EncoderSettings(), folder / "encoder")
    seeds = encoder.encode(titles.sort().to_list())
    query_vectors = encoder.encode(query_texts.sample(min(queries, len(query_texts)), seed=seed).to_list())
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, seeds.shape[1]))
    start = 0
    for batch in grow(seeds, rows, np.random.default_rng(seed)):
        vectors[start : start + len(batch)] = batch
        start += len(batch)
    vectors.flush()
    np.save(folder / "queries.npy", query_vectors)
    np.save(folder / "exact.npy", exact(vectors, query_vectors))
    return {"seeds": len(seeds), "rows": rows, "queries": len(query_vectors), "from": raw.name}


def grow(seeds: Matrix, rows: int, rng: np.random.Generator) -> Iterator[Matrix]:
    """Yield unit vectors around the seeds, in batches: first the seeds themselves."""
    near = np.concatenate([_nearest(part @ seeds.T, NEIGHBORS + 1) for part in np.array_split(seeds, 20)])  # self first
    yield seeds[:rows]
    for start in range(len(seeds), rows, BATCH):
        many = min(BATCH, rows - start)
        own = rng.integers(0, len(seeds), many)
        pick = rng.integers(1, NEIGHBORS + 1, (4, many))
        steps = seeds[near[own, pick]] - seeds[own]  # (4, many, dim): directions in which neighbors differ
        weights = np.concatenate([rng.random((1, many)), NOISE * rng.normal(size=(3, many)) / np.sqrt(3)])
        grown = seeds[own] + np.einsum("nm,nmd->md", weights.astype(np.float32), steps)
        yield grown / np.linalg.norm(grown, axis=1, keepdims=True)


def exact(vectors: Matrix, queries: Matrix) -> npt.NDArray[np.int64]:
    """Return the rows of the K nearest vectors of every query by their inner product: (queries, K)."""
    best = np.full((len(queries), K), -np.inf, np.float32)
    rows = np.zeros((len(queries), K), np.int64)
    for start in range(0, len(vectors), BATCH):
        scores = queries @ vectors[start : start + BATCH].T  # (queries, batch)
        place = _nearest(scores, K)
        merged = np.concatenate([best, np.take_along_axis(scores, place, 1)], 1)
        named = np.concatenate([rows, place + start], 1)
        nearest = _nearest(merged, K)
        best, rows = np.take_along_axis(merged, nearest, 1), np.take_along_axis(named, nearest, 1)
    return rows


def _nearest(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    top = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
    return np.take_along_axis(top, order, 1)


def build(folder: Path) -> dict[str, float]:
    """Write the vectors into a table of the store and build its index; return the seconds of both."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    store = VectorStore(folder / "store")
    started = time.perf_counter()
    store.apply(TABLE, _rows(vectors), [], vectors.shape[1])
    written = time.perf_counter()
    version = store.refresh_index(TABLE)
    done = time.perf_counter()
    (folder / "version").write_text(str(version))
    return {"write_s": written - started, "index_s": done - written, "peak_mb": peak_mb()}


def _rows(vectors: Matrix) -> Iterator[pa.Table]:
    for start in range(0, len(vectors), BATCH):
        part = vectors[start : start + BATCH]
        ids = pl.select(pl.int_range(start, start + len(part)).cast(pl.String)).to_series()
        yield _table(ids, part, title="Product number")


def _table(ids: pl.Series, vectors: Matrix, title: str) -> pa.Table:
    columns = {
        "key": "us:" + ids,
        "product_id": ids,
        "locale": pl.repeat("us", len(ids), eager=True),
        "title": f"{title} " + ids,
        "input_hash": ids,
    }
    return pl.DataFrame(columns).to_arrow().append_column("vector", to_vectors(vectors))


def change(folder: Path) -> dict[str, object]:
    """Write a hundredth of the rows again, ten times over, and bring the index up to date each time; return the seconds."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    store, seconds = VectorStore(folder / "store"), []
    for seed in range(CHANGES):
        rows = np.sort(np.random.default_rng(seed).choice(len(vectors), len(vectors) // 100, replace=False))
        ids = pl.Series(rows).cast(pl.String)
        started = time.perf_counter()
        store.apply(TABLE, [_table(ids, vectors[rows], title=f"Changed {seed}")], [], vectors.shape[1])
        version = store.refresh_index(TABLE, unindexed_share=UNINDEXED_SHARE)
        seconds.append(time.perf_counter() - started)
    (folder / "version").write_text(str(version))
    return {"seconds": seconds}


def search(folder: Path) -> dict[str, object]:
    """Run every query on one core; return the milliseconds of each and the recall."""
    queries, right = np.load(folder / "queries.npy"), np.load(folder / "exact.npy")
    store, version = VectorStore(folder / "store"), int((folder / "version").read_text())
    for query in queries[:20]:
        store.search(TABLE, version, query, K)
    milliseconds, hits = [], 0
    for query, rows in zip(queries, right, strict=True):
        started = time.perf_counter()
        result = store.search(TABLE, version, query, K)
        milliseconds.append((time.perf_counter() - started) * 1000)
        hits += len(set(map(int, result["product_id"])) & set(rows.tolist()))
    return {"ms": milliseconds, "recall": hits / right.size, "peak_mb": peak_mb()}


def brute_force(folder: Path) -> dict[str, object]:
    """Run some queries with NumPy on one core, with all vectors in memory."""
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")[:50]
    milliseconds = []
    for query in queries:
        started = time.perf_counter()
        _nearest((vectors @ query)[None], K)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return {"ms": milliseconds}


STEPS = {"build": build, "change": change, "search": search, "brute_force": brute_force}
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Run every step in its own process and print the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--raw", type=Path, default=REAL if REAL.is_dir() else None, help="ESCI folder to take texts from"
    )
    parser.add_argument("--faiss", metavar="PYTHON", default=os.environ.get("FAISS_PYTHON"))
    parser.add_argument("--faiss-kinds", nargs="*", default=["ivf", "hnsw"])
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--folder", type=Path, help="keep the vectors here, and use those that are here")
    options = parser.parse_args()
    if options.step:
        if options.step != "build":
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(STEPS[options.step](options.folder)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="stockroom-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(f"{options.rows:,} vectors with the structure of real embeddings, one core searching")
    try:
        if not (folder / "exact.npy").exists():
            bench.facts |= prepare(folder, options.raw, options.rows, options.queries, options.seed)
        shutil.rmtree(folder / "store", ignore_errors=True)
        built = in_own_process(__file__, "--step", "build", "--folder", folder)
        searched = in_own_process(__file__, "--step", "search", "--folder", folder)
        plain = in_own_process(__file__, "--step", "brute_force", "--folder", folder, environment=ONE_THREAD)
        changed = in_own_process(__file__, "--step", "change", "--folder", folder)
        later = in_own_process(__file__, "--step", "search", "--folder", folder)
        bench.add("rows written", built["write_s"], "s")
        bench.add("index built", built["index_s"], "s", at_most=600)
        bench.add("memory of the build", built["peak_mb"], "MB")
        bench.add(f"recall@{K} against exact search", searched["recall"], "share", at_least=RECALL)
        bench.add("search p50", _quantile(searched, 50), "ms", at_most=15)
        bench.add("search p99", _quantile(searched, 99), "ms", at_most=60)
        bench.add(
            "search p50, brute force", _quantile(searched, 50), "ms", beside="NumPy", reference=_quantile(plain, 50)
        )
        bench.add("1 % of the rows written again, index and all: median of ten", median(changed["seconds"]), "s")
        bench.add("1 % of the rows written again, index and all: the longest", max(changed["seconds"]), "s")
        bench.add(f"recall@{K} after ten changes", later["recall"], "share", at_least=RECALL)
        bench.add("search p50 after ten changes", _quantile(later, 50), "ms")
        bench.add("search p99 after ten changes", _quantile(later, 99), "ms", at_most=60)
        for kind, figures in _faiss(options.faiss, folder, options.faiss_kinds).items():
            name = f"FAISS {kind.upper()} at effort {figures['effort']}, recall {figures['recall']:.3f}"
            bench.add(f"index built, {kind}", built["index_s"], "s", beside=name, reference=figures["build_s"])
            for percent in (50, 99):
                ours, theirs = _quantile(searched, percent), _quantile(figures, percent)
                bench.add(f"search p{percent}, {kind}", ours, "ms", beside=name, reference=theirs)
        bench.finish(options.json)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def _faiss(python: str | None, folder: Path, kinds: list[str]) -> dict[str, dict[str, float]]:
    if not python:
        print("without FAISS: name its Python with --faiss or FAISS_PYTHON (see tests/bench/faiss/requirements.txt)")
        return {}
    command = [python, str(Path(__file__).parent / "faiss" / "index.py"), str(folder), str(RECALL), *kinds]
    figures: dict[str, dict[str, float]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return figures


def _quantile(figures: dict[str, object], percent: int) -> float:
    return float(np.percentile(np.array(figures["ms"]), percent))


if __name__ == "__main__":
    main()
