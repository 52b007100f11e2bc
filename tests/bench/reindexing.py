"""Compare the cost of a change with a full build: 1 % of the products, one product, and a known file.

Run it with: python tests/bench/reindexing.py [--products 10000 100000] [--faked 1000000] [--folder DIR] [--json FILE].

Every command runs as a person would run it, in its own process that starts cold; what is told is the median of three.
A tenth of the changed rows change nothing that is encoded, and two in ten share their new text with another row, so that
the number of distinct unseen texts is not that of the rows. With --faked the encoder makes vectors of a text's hash, and
nothing else is faked; it trains for one epoch. Sizes are products. With --folder the homes that were built are kept and
used again.
"""

import argparse
import hashlib
import io
import json
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from figures import Bench, arguments, in_own_process

ROUNDS = 3
THEN = "then"
_PRODUCTS = "shopping_queries_dataset_products.parquet"
_UNLIKE = [
    "accordion",
    "bagpipe",
    "cello",
    "dulcimer",
    "easel",
    "falconry",
    "glockenspiel",
    "harpsichord",
    "icebreaker",
    "jousting",
    "kayak",
    "lighthouse",
    "metronome",
    "nautilus",
    "observatory",
    "periscope",
    "quill",
    "rapier",
    "sextant",
    "telescope",
    "ukulele",
    "viaduct",
    "windmill",
    "xylophone",
    "zeppelin",
]
_FAKED_BASE = 256  # a byte of a text's hash chooses one of so many vectors


class Encoder:
    """Time the encoding, that of the sample by which the index's health is told among it; with `faked` no encoder is behind it.

    To open the encoder counts as none: other work goes on meanwhile.
    """

    def __init__(self, opener: Any, arguments: tuple[Any, ...], faked: bool) -> None:
        self._encoder = None if faked else opener(*arguments)
        self._base = np.random.default_rng(0).standard_normal((_FAKED_BASE, 384)).astype(np.float32)
        self.seconds = 0.0

    def encode(self, texts: list[str], on_progress: Any = None) -> Any:
        """Return the vectors of texts: (texts, 384)."""
        started = time.perf_counter()
        if self._encoder is not None:
            vectors = self._encoder.encode(texts, on_progress)
        else:
            vectors = np.concatenate([self._fake(texts[at : at + 2048]) for at in range(0, len(texts), 2048)])
        self.seconds += time.perf_counter() - started
        return vectors

    def unknown_shares(self, texts: list[str]) -> Any:
        """Return the share of unknown tokens of each text: (texts,); none of a text's hash."""
        return np.zeros(len(texts)) if self._encoder is None else self._encoder.unknown_shares(texts)

    def _fake(self, texts: list[str]) -> Any:
        hashes = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
        sums = self._base[np.frombuffer(hashes, np.uint8).reshape(len(texts), 8)].sum(axis=1)  # (texts, 384)
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def command(options: argparse.Namespace) -> None:
    """Run stockroom commands in this process, one after another, and print the report and the seconds of the last one."""
    import assets.services.text_vectors

    opened: list[Encoder] = []
    opener = assets.services.text_vectors.open_encoder

    def open_encoder(*given: Any) -> Any:
        opened.append(Encoder(opener, given, options.fake))
        return opened[-1]

    assets.services.text_vectors.open_encoder = open_encoder  # type: ignore[assignment]
    from orchestration.cli import main as stockroom

    report: dict[str, Any] = {}
    for words in _split(options.command):
        opened.clear()
        sys.argv, said, started = ["stockroom", *words, "--json"], io.StringIO(), time.perf_counter()
        try:
            with redirect_stdout(said):
                stockroom()
        except SystemExit as end:
            if end.code:
                raise
        report = {"inside_s": time.perf_counter() - started, "report": json.loads(said.getvalue())}
        report["encoding_s"] = sum(each.seconds for each in opened)
    print(json.dumps(report))


def _split(words: list[str]) -> list[list[str]]:
    """Return the commands between the words `then`."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == THEN:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def run(*words: object, faked: bool, epochs: int | None = None) -> dict[str, Any]:
    """Run a command in its own process, and return its report and its total seconds."""
    environment = {} if epochs is None else {"STOCKROOM_TRAINING__EPOCHS": str(epochs)}
    if faked:  # vectors of hashes have no neighbors, so that an index cannot find them
        environment["STOCKROOM_RELEASE__MIN_RECALL"] = "0"
    started = time.perf_counter()
    fake = ["--fake"] if faked else []
    report = in_own_process(__file__, *fake, "--command", *words, environment=environment)
    return report | {"seconds": time.perf_counter() - started}


def write_delta(catalog: pl.DataFrame, rows: int, seed: int, path: Path) -> int:
    """Write a delta that changes some products, and return the number of distinct new texts in it."""
    chosen = catalog.sample(rows, seed=seed).with_row_index("row")
    new, shared = max(1, rows * 9 // 10), rows * 2 // 10
    title = pl.format(
        "zirconium {} gadget number {}", pl.lit(seed), pl.when(pl.col("row") < shared).then(0).otherwise("row")
    )
    changed = chosen.with_columns(
        product_title=pl.when(pl.col("row") < new).then(title).otherwise("product_title"),
        product_brand=pl.when(pl.col("row") < shared).then(pl.lit("Acme")).otherwise("product_brand"),
        product_color=pl.when(pl.col("row") < shared).then(pl.lit("teal")).otherwise("product_color"),
        product_description=pl.format("reworded: {}", pl.lit(seed)),
        op=pl.lit("upsert"),
    )
    changed.drop("row").write_parquet(path)
    return new - max(0, shared - 1)


def write_one(catalog: pl.DataFrame, seed: int, path: Path) -> str:
    """Write a delta that gives one product a title unlike any other, and return the title."""
    title = " ".join(np.random.default_rng(seed).choice(_UNLIKE, 4, replace=False))
    changed = catalog.sample(1, seed=seed).with_columns(product_title=pl.lit(title), op=pl.lit("upsert"))
    changed.write_parquet(path)
    return title


def is_retrieved(home: Path, title: str, faked: bool) -> bool:
    """Tell whether a search that starts now finds the product: among vectors of hashes, whether it is there to be found."""
    from orchestration.config.open_context import open_run_context
    from orchestration.config.settings import load_settings
    from orchestration.serving.searcher import Searcher

    opened = open_run_context(load_settings(home)).home
    if not faked:
        return title in [hit.title for hit in Searcher(opened).search(title)]
    live = opened.releases.live()
    assert live is not None
    return title in opened.vectors.read(live.vector_table, live.vector_version, ["title"])["title"].to_pylist()


def measure(bench: Bench, products: int, folder: Path, faked: bool) -> None:
    """Add the figures of one size."""
    name, home, raw = (
        f"{products:,}{' faked' if faked else ''}",
        folder / f"home-{products}",
        folder / f"raw-{products}",
    )
    built_in = folder / f"built-{products}.json"
    if not built_in.exists():
        run("sample", "--products", products, "--out", raw, faked=faked)
        built = run("build", "--raw", raw, "--home", home, faked=faked, epochs=1 if faked else None)
        built_in.write_text(json.dumps({"seconds": built["seconds"], "encoding_s": built["encoding_s"]}))
    built = json.loads(built_in.read_text())
    catalog = (
        pl.read_parquet(raw / _PRODUCTS)
        .filter(pl.col("product_id") != "", pl.col("product_title").str.strip_chars() != "")
        .unique(["product_locale", "product_id"], keep="none", maintain_order=True)
    )
    seconds_by_step: dict[str, list[float]] = {
        "percent": [],
        "beyond": [],
        "encoding": [],
        "warm": [],
        "one": [],
        "none": [],
    }
    encoded = unseen = 0
    first = time.time_ns() // 1_000_000_000
    for seed in range(first, first + ROUNDS):
        delta = folder / f"percent-{seed}.parquet"
        texts = write_delta(catalog, products // 100, seed, delta)
        report = run("apply", delta, "--home", home, faked=faked)
        seconds_by_step["percent"].append(report["seconds"])
        seconds_by_step["encoding"].append(report["encoding_s"])
        seconds_by_step["beyond"].append(report["seconds"] - report["encoding_s"])
        encoded, unseen = encoded + report["report"]["run"]["texts_encoded"], unseen + texts
        one = folder / f"one-{seed}.parquet"
        title = write_one(catalog, seed, one)
        started = time.perf_counter()
        run("apply", one, "--home", home, faked=faked)
        assert is_retrieved(home, title, faked), f"{title} is not retrieved"
        seconds_by_step["one"].append(time.perf_counter() - started)
        again = run("apply", one, "--home", home, faked=faked)
        assert again["report"]["run"] is None
        assert not again["report"]["changed"]
        seconds_by_step["none"].append(again["seconds"])
        before, warm = folder / f"before-{seed}.parquet", folder / f"warm-{seed}.parquet"
        write_one(catalog, seed + 1_000, before)
        unseen += write_delta(catalog, products // 100, seed + 1_000, warm)
        report = run("apply", before, "--home", home, THEN, "apply", warm, "--home", home, faked=faked)
        encoded += report["report"]["run"]["texts_encoded"]
        seconds_by_step["warm"].append(report["inside_s"] - report["encoding_s"])
    middle = {what: median(values) for what, values in seconds_by_step.items()}
    bench.add(f"{name}: full build", built["seconds"], "s")
    bench.add(
        f"{name}: 1 % changed", middle["percent"], "s", beside="full build", reference=built["seconds"], at_most=0.05
    )
    bench.add(f"{name}: 1 % changed, the encoding in it", middle["encoding"], "s")
    limit = 5 if products < 1_000_000 else 15
    bench.add(f"{name}: 1 % changed, beyond the encoding", middle["beyond"], "s", at_most=limit)
    bench.add(
        f"{name}: 1 % changed in a process that applied before, beyond the encoding", middle["warm"], "s", at_most=5
    )
    bench.add(f"{name}: 1 product changed, until a search finds it", middle["one"], "s", at_most=10)
    bench.add(f"{name}: nothing changed", middle["none"], "s", at_most=5)
    expected_texts = {"beside": "distinct unseen texts", "reference": float(unseen), "at_least": 1, "at_most": 1}
    bench.add(f"{name}: texts encoded", float(encoded), "texts", **expected_texts)


def main() -> None:
    """Measure each size."""
    parser = arguments(__doc__)
    parser.add_argument("--products", type=int, nargs="*", default=[10_000, 100_000], metavar="N", help="sizes")
    parser.add_argument("--faked", type=int, nargs="*", default=[], metavar="N", help="sizes with faked embeddings")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the homes here, and use those that are there")
    parser.add_argument("--fake", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.command:
        command(options)
        return
    bench = Bench("The cost of a change")
    with tempfile.TemporaryDirectory() as temporary:
        for products, faked in [*((n, False) for n in options.products), *((n, True) for n in options.faked)]:
            folder = (options.folder or Path(temporary)) / ("faked" if faked else "encoded")
            folder.mkdir(parents=True, exist_ok=True)
            measure(bench, products, folder, faked)
    bench.finish(options.json)


if __name__ == "__main__":
    main()
