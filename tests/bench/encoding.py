"""Compare the text encoder with `SentenceTransformer.encode` and its defaults, on product titles.

Run it with: python tests/bench/encoding.py [--titles FILE] [--texts 5000] [--rounds 3] [--json FILE]. FILE is a products file
of ESCI; the default is that of the folder `../shared/esci`, or else a synthetic catalog. Each round measures both in random
order, each in its own process that has loaded its model and encoded some texts before the measurement. Each round shuffles
the titles.

It also reports the lowest cosine between the two vectors of a title, and whether our vectors are bit-equal for every order,
for single texts, and for batches of other sizes. --precision adds other precisions than `auto`; the bounds apply to `auto`.
"""

import argparse
import hashlib
import json
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from figures import Bench, arguments, in_own_process, peak_mb

from models.encoder.fingerprint import model_folder, resolve_precision
from models.encoder.loading import load_encoder
from models.settings import EncoderSettings

PRODUCTS = "shopping_queries_dataset_products.parquet"
SHARED = Path(__file__).parents[3] / "shared" / "esci" / PRODUCTS
WARM_TEXTS, OTHER_BATCHES = 256, (1, 7, 128)


def titles_of(given: Path | None, count: int, folder: Path) -> tuple[list[str], str]:
    """Return distinct titles and their source."""
    path = given or (SHARED if SHARED.is_file() else folder / PRODUCTS)
    if not path.is_file():
        from warehouse.sample import write_esci

        write_esci(folder, max(100, 2 * count), 7)
    titles = pl.read_parquet(path, columns=["product_title"])["product_title"].drop_nulls().unique(maintain_order=True)
    return titles.head(count).to_list(), "an invented catalog" if path.parent == folder else path.parent.name


def shuffled(titles: list[str], seed: int) -> list[str]:
    """Return the titles in the order of a round."""
    return random.Random(seed).sample(titles, len(titles))


def step(name: str, folder: Path, seed: int) -> dict[str, Any]:
    """Encode the titles in the order of a round with one encoder; save the vectors in the original order."""
    titles = json.loads((folder / "titles.json").read_text(encoding="utf-8"))
    shuffled_titles = shuffled(titles, seed)
    if name == "sentence-transformers":
        from models.encoder.torch_backend import load_sentence_transformer

        encode = load_sentence_transformer(EncoderSettings(), "cpu").encode
    else:
        encode = load_encoder(EncoderSettings(precision=name), folder / "encoders").encode
    encode(shuffled_titles[:WARM_TEXTS])
    started, cpu = time.perf_counter(), time.process_time()
    vectors = encode(shuffled_titles)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    places = {title: place for place, title in enumerate(shuffled_titles)}
    vectors = np.ascontiguousarray(vectors[[places[title] for title in titles]])
    np.save(folder / f"{name}.npy", vectors)
    digest = hashlib.sha256(vectors.tobytes()).hexdigest()
    return {"texts_per_s": len(titles) / wall, "cpu_s": cpu, "peak_mb": peak_mb(), "vectors": digest}


def is_bit_equal(name: str, folder: Path) -> bool:
    """Tell whether a tenth of the titles get the same bits in other batches as they did among all titles."""
    titles = json.loads((folder / "titles.json").read_text(encoding="utf-8"))
    vectors = np.load(folder / f"{name}.npy")[::10]
    return all(
        np.array_equal(
            load_encoder(
                EncoderSettings(precision=name, batch_texts=batch, threads=1 + batch % 2), folder / "encoders"
            ).encode(titles[::10]),
            vectors,
        )
        for batch in OTHER_BATCHES
    )


def measure(bench: Bench, folder: Path, rounds: int, precisions: list[str]) -> None:
    """Measure every encoder in every round, and add the figures."""
    chosen = resolve_precision(EncoderSettings())
    names = ["sentence-transformers", *precisions]
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for name in precisions:  # the conversion takes torch and some seconds: not in any round
        load_encoder(EncoderSettings(precision=name), folder / "encoders")
    for turn in range(rounds):
        for name in random.Random(turn).sample(names, len(names)):
            reports[name].append(in_own_process(__file__, "--step", name, "--folder", folder, "--seed", turn))
    theirs = np.load(folder / "sentence-transformers.npy")
    reference = median(each["texts_per_s"] for each in reports["sentence-transformers"])
    for name in precisions:
        rates = [each["texts_per_s"] for each in reports[name]]
        cosines = (np.load(folder / f"{name}.npy") * theirs).sum(axis=1)
        same = len({each["vectors"] for each in reports[name]}) == 1 and is_bit_equal(name, folder)
        bound, words = (name == chosen), {"beside": "SentenceTransformer.encode", "reference": reference}
        bench.add(f"encoding, {name}", median(rates), "texts/s", **words, at_least=3.0 if bound else None)
        cpu = {side: median(each["cpu_s"] for each in reports[side]) for side in (name, names[0])}
        bench.add(f"CPU time, {name}", cpu[name], "s", beside=words["beside"], reference=cpu[names[0]])
        bench.add(f"lowest cosine, {name}", float(cosines.min()), "", at_least=0.999 if bound else None)
        bench.add(f"equal to the bit whatever the batch, {name}", float(same), "", at_least=1.0)
        bench.add(f"most memory, {name}", median(each["peak_mb"] for each in reports[name]), "MB")
    bench.facts["rounds"] = reports


def main() -> None:
    """Measure, print and write the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--titles", type=Path, metavar="FILE", help="products file with the titles to encode")
    parser.add_argument("--texts", type=int, default=5000, help="how many titles")
    parser.add_argument("--rounds", type=int, default=3, help="how often each encoder is asked")
    parser.add_argument("--precision", nargs="+", metavar="NAME", default=[resolve_precision(EncoderSettings())])
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(options.step, options.folder, options.seed)))
        return
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as made:
        folder = Path(made)
        titles, source = titles_of(options.titles, options.texts, folder)
        (folder / "titles.json").write_text(json.dumps(titles), encoding="utf-8")
        bench = Bench(f"Encoding: {len(titles):,} titles of {source}, medians of {options.rounds} rounds")
        bench.facts |= {"titles": len(titles), "source": source, "encoder": str(model_folder(EncoderSettings()).name)}
        measure(bench, folder, options.rounds, options.precision)
        bench.finish(options.json)


if __name__ == "__main__":
    main()
