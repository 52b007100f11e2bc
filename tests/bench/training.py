"""Measure how fast the towers train on cached vectors, in comparison with bare passes and a sentence-transformers trainer.

Run it with: python tests/bench/training.py [--pairs 1000000] [--threads 2] [--reference PYTHON] [--json FILE]. It draws a
catalog of unit vectors with a structure to learn, every feature that the towers read, and as many Exact pairs, with
products judged Substitute, Complement and Irrelevant beside them, and measures, each in its own process:

- `training`: `models.training.trainer.train` for one epoch, over memory-mapped vectors: draws, gathers, masks, both losses,
  clipping and AdamW. There is next to no validation (its locale has one product), and what comes before the first step is told
  apart.
- `bare`: forward and backward passes over tensors of the same batches, made beforehand, and nothing else; then the same with
  AdamW's step. Rounds before and after the training even out what else the machine does.
- `reference`: SentenceTransformerTrainer with MultipleNegativesRankingLoss on a few hundred pairs of texts, all of the encoder
  learning, and with a frozen encoder below one dense layer. Without cached vectors, each pair costs two texts. PYTHON is that of
  its own environment, made with: python3 -m venv DIR && DIR/bin/pip install -r
  tests/bench/reference/requirements.txt (or set SENTENCE_TRANSFORMERS_PYTHON); without it, it is left out.

Figures are Exact pairs per second of wall time and of CPU time of all threads; with --threads 1 the latter is what to compare
on a machine that does other things as well.
"""

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
from figures import Bench, arguments, in_own_process, peak_mb

from models.encoder.fingerprint import model_folder
from models.labels import COMPLEMENT, EXACT, IRRELEVANT, SUBSTITUTE
from models.settings import EncoderSettings, TowerSettings, TrainingSettings
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec
from models.training.dataset import TrainingData
from warehouse.contracts.registry import CONTRACTS

if TYPE_CHECKING:
    from models.training.step import StepTensors

DIM, CLUSTERS, EXACT_PER_QUERY, TOPICS = 384, 2000, 10, 20_000
LABELS = np.repeat([EXACT, SUBSTITUTE, COMPLEMENT, IRRELEVANT], [EXACT_PER_QUERY, 3, 1, 2]).astype(np.int8)
BARE_BATCHES, BARE_STEPS = 48, 240
Vectors = npt.NDArray[np.float32]


def spec(table: str) -> FeatureSpec:
    """Return the columns that a side's tower reads."""
    return FeatureSpec(CONTRACTS[table].tower_columns("numeric"), CONTRACTS[table].tower_columns("categorical"))


QUERY, PRODUCT = spec("features.queries"), spec("features.products")


def draw(folder: Path, pairs: int) -> dict[str, int]:
    """Write the vectors of queries and products: noisy members of clusters, queries turned away from their products."""
    rng = np.random.default_rng(0)
    queries, products = pairs // EXACT_PER_QUERY, 4 * pairs // EXACT_PER_QUERY
    centers = rng.normal(size=(CLUSTERS, DIM)).astype(np.float32)
    turn = np.linalg.qr(np.eye(DIM) + 0.05 * rng.normal(size=(DIM, DIM)))[0].astype(np.float32)
    for name, rows in (("queries", queries), ("products", products)):
        file = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.float32, shape=(rows, DIM))
        for start in range(0, rows, 50_000):
            part = np.arange(start, min(start + 50_000, rows))
            vectors = centers[part % CLUSTERS] + rng.standard_normal((len(part), DIM), dtype=np.float32)
            vectors = vectors @ turn if name == "queries" else vectors
            file[part] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return {"pairs": queries * EXACT_PER_QUERY, "judgements": queries * len(LABELS), "products": products}


def load(folder: Path) -> TrainingData:
    """Return the training data; the last query and product are the validation split, and have a locale of their own."""
    query_vectors, product_vectors = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("queries", "products")
    )
    queries, products = len(query_vectors), len(product_vectors)
    rng = np.random.default_rng(1)
    near = np.arange(queries)[:, None] + CLUSTERS * rng.integers(0, products // CLUSTERS, (queries, len(LABELS)))
    product = np.where(LABELS == IRRELEVANT, rng.integers(0, products - 1, near.shape), near % (products - 1))
    product[-1] = products - 1
    split = np.full(queries * len(LABELS), "train", dtype="U10")
    split[-len(LABELS) :] = "validation"
    return TrainingData(
        query_vectors=query_vectors,
        product_vectors=product_vectors,
        query_features=features(QUERY, queries, rng),
        product_features=features(PRODUCT, products, rng),
        query_locale=locales(queries),
        product_locale=locales(products),
        query_index=np.repeat(np.arange(queries), len(LABELS)),
        product_index=product.ravel(),
        label=np.tile(LABELS, queries),
        split=split,
    )


def locales(rows: int) -> npt.NDArray[np.str_]:
    """Return the locale of every row, the last one's apart."""
    return np.array(["us"] * (rows - 1) + ["es"])


def features(spec: FeatureSpec, rows: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return columns with missing values, the categorical ones with a long tail."""
    numeric = {
        name: pl.Series(rng.normal(size=rows)).set(pl.Series(rng.random(rows) < 0.1), None) for name in spec.numeric
    }
    categorical = {name: pl.Series(rng.zipf(1.3, rows) % TOPICS).cast(pl.String) for name in spec.categorical}
    return pl.DataFrame({**numeric, **categorical})


def training(folder: Path, settings: TrainingSettings) -> dict[str, object]:
    """Train one epoch and return the figures of the whole and of the epoch alone."""
    from models.training.trainer import train

    data, before, times = load(folder), peak_mb(), [_clocks()]
    model = train(data, QUERY, PRODUCT, TowerSettings(), settings, lambda epoch: times.append(_clocks()))
    pairs = int((data.label[: -len(LABELS)] == EXACT).sum())
    (wall, cpu), (setup, _) = _between(times[1], times[2]), _between(times[0], times[1])
    return {
        **_rates(pairs, wall, cpu),
        "epoch_s": round(wall, 1),
        "before_first_step_s": round(setup, 1),
        "train_loss": model.history[1].train_loss,
        "peak_mb": peak_mb(),
        "peak_beyond_data_mb": peak_mb() - before,
    }


def bare(folder: Path, settings: TrainingSettings) -> dict[str, object]:
    """Return the figures of passes over prepared tensors: forward and backward, and with the optimizer's step."""
    import torch

    from models.towers.network import FeatureSizes, TwoTower
    from models.training.step import step_loss

    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    data = load(folder)
    encoders = [
        FeatureEncoder.fit(frame, spec, TowerSettings())
        for frame, spec in ((data.query_features, QUERY), (data.product_features, PRODUCT))
    ]
    sizes = [FeatureSizes(encoder.numeric_width, encoder.vocabulary_sizes) for encoder in encoders]
    towers = TwoTower(DIM, *sizes, TowerSettings())
    optimizer = torch.optim.AdamW(towers.parameters(), lr=settings.learning_rate)
    steps = list(tensors(data, encoders, settings))
    report: dict[str, object] = {}
    for name in ("forward_backward", "with_step"):
        start, pairs = _clocks(), 0
        for step in itertools.islice(itertools.cycle(steps), BARE_STEPS):
            optimizer.zero_grad(set_to_none=True)
            step_loss(towers, step, settings).backward()  # type: ignore[no-untyped-call]
            if name == "with_step":
                optimizer.step()
            pairs += len(step.target)
        report[name] = _rates(pairs, *_between(start, _clocks()))
    return report


def tensors(data: TrainingData, encoders: list[FeatureEncoder], settings: TrainingSettings) -> "Iterator[StepTensors]":
    """Yield the tensors of an epoch's first batches, as the training makes them."""
    import torch

    from models.training.samplers import Judgements, TowerInputs, contrastive_batches, count_batches, graded_batches
    from models.training.step import gather

    judgements, rng = Judgements(data, "train"), np.random.default_rng(settings.seed)
    queries = TowerInputs(data.query_vectors, *encoders[0].transform(data.query_features))
    products = TowerInputs(data.product_vectors, *encoders[1].transform(data.product_features))
    batches = contrastive_batches(
        judgements, settings.batch_pairs, settings.irrelevant_per_query, settings.catalog_negatives, rng
    )
    lists = graded_batches(judgements, count_batches(judgements, settings.batch_pairs), rng)
    for batch, graded in itertools.islice(zip(batches, lists, strict=True), BARE_BATCHES):
        yield gather(batch, graded, queries, products, torch.device("cpu"))


def reference(python: str, threads: int) -> dict[str, object]:
    """Return the figures of a sentence-transformers trainer on the same encoder, from its own environment."""
    folder = model_folder(EncoderSettings())
    script = Path(__file__).parent / "reference" / "trainer.py"
    output = subprocess.run([python, script, folder, str(threads)], check=True, capture_output=True, text=True).stdout
    measured = json.loads(output.splitlines()[-1])
    return {name: _rates(one["pairs"], one["wall"], one["cpu"]) for name, one in measured.items()}


def main() -> None:
    """Run every step in its own process, print and write the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=TrainingSettings().threads)
    parser.add_argument("--reference", metavar="PYTHON", default=os.environ.get("SENTENCE_TRANSFORMERS_PYTHON"))
    parser.add_argument("--step", choices=("training", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        settings = TrainingSettings(epochs=1, threads=options.threads, device="cpu")
        print(json.dumps({"training": training, "bare": bare}[options.step](options.folder, settings)))
        return
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as made:
        folder = Path(made)
        sizes = draw(folder, options.pairs)
        first = _process("bare", folder, options.threads)
        trained = _process("training", folder, options.threads)
        passes = _mean(first, _process("bare", folder, options.threads))
    bench = Bench(
        f"Training: {sizes['pairs']:,} Exact pairs, {sizes['products']:,} products, {options.threads} threads"
    )
    bench.facts |= {**sizes, "threads": options.threads, "training": trained, "bare": passes}
    for rate, unit in (("pairs_per_second", "pairs/s"), ("pairs_per_cpu_second", "pairs/CPU s")):
        for name, words in (("forward_backward", "bare forward and backward"), ("with_step", "the same with AdamW")):
            bench.add("an epoch", trained[rate], unit, beside=words, reference=passes[name][rate])
    bench.add("before the first step", trained["before_first_step_s"], "s")
    bench.add("most memory, mapped vectors counted", trained["peak_mb"], "MB")
    bench.add("of that, beyond the start", trained["peak_beyond_data_mb"], "MB")
    if options.reference:
        for name, rates in reference(options.reference, options.threads).items():
            words = {"beside": f"sentence-transformers, {name}", "reference": rates["pairs_per_cpu_second"]}
            bench.add("an epoch", trained["pairs_per_cpu_second"], "pairs/CPU s", **words)
    else:
        print("sentence-transformers' trainer is left out: name the python of its environment with --reference")
    bench.finish(options.json)


def _process(step: str, folder: Path, threads: int) -> dict[str, Any]:
    environment = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
    options = ("--step", step, "--folder", folder, "--threads", threads)
    return in_own_process(__file__, *options, environment=environment)


def _mean(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {name: {rate: (one[rate] + second[name][rate]) // 2 for rate in one} for name, one in first.items()}


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _between(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return end[0] - start[0], end[1] - start[1]


def _rates(pairs: int, wall: float, cpu: float) -> dict[str, object]:
    return {"pairs_per_second": round(pairs / wall), "pairs_per_cpu_second": round(pairs / cpu)}


if __name__ == "__main__":
    main()
