"""Measure FAISS on the same vectors: built on all cores, searched by one thread, at the least effort with the required recall.

Called by tests/bench/vector_index.py as: index.py FOLDER RECALL KIND …, KIND being ivf or hnsw.
"""

import json
import os
import sys
import time
from pathlib import Path

import faiss
import numpy as np

K = 10
EFFORTS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def build(kind: str, vectors: np.ndarray) -> faiss.Index:
    dim = vectors.shape[1]
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 80
    else:
        lists = int(4 * np.sqrt(len(vectors)))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 64
        index.train(vectors)
    index.add(vectors)
    return index


def set_effort(kind: str, index: faiss.Index, effort: int) -> None:
    if kind == "hnsw":
        index.hnsw.efSearch = effort
    else:
        index.nprobe = effort


def main() -> None:
    folder, least_recall, kinds = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    exact = np.load(folder / "exact.npy")  # (queries, K) rows
    figures = {}
    for kind in kinds:
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        started = time.perf_counter()
        index = build(kind, vectors)
        built = time.perf_counter() - started
        faiss.omp_set_num_threads(1)
        for effort in EFFORTS:
            set_effort(kind, index, effort)
            milliseconds, hits = [], 0
            for query, right in zip(queries, exact, strict=True):
                started = time.perf_counter()
                _, neighbors = index.search(query[None], K)
                milliseconds.append((time.perf_counter() - started) * 1000)
                hits += len(set(neighbors[0].tolist()) & set(right.tolist()))
            recall = hits / exact.size
            if recall >= least_recall:
                break
        figures[kind] = {"build_s": built, "effort": effort, "recall": recall, "ms": milliseconds}
        del index
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
