"""Measure the HTTP service on loopback: closed-loop clients, with the share of each stage, and posted deltas.

Run it with: python tests/bench/service.py [--home DIR] [--products 10000] [--requests 2000] [--clients 16] [--workers 1]
[--deltas 5] [--during] [--builds 2] [--json FILE]. It copies the home, or builds one from an invented catalog, and starts
`stockroom serve` on it. Each client sends its next request once the last one is answered. Then one product is posted several
times, and 1 % of the catalog.

While requests run, nothing else happens, unless --during posts deltas at the same time, and --builds builds so many times from
other files. No answer may be a fault of the service. Every hit is compared with the release that its answer names: a product
that the release lacks, or has with another title, would come from another release.

The number of requests, and the time of the whole benchmark (--most-s), are bounded.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import polars as pl
from figures import Bench, arguments

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from warehouse.sample import write_esci
from warehouse.wording import counted

STOCKROOM = Path(sys.executable).parent / "stockroom"
EXAMPLES, PRODUCTS = "shopping_queries_dataset_examples.parquet", "shopping_queries_dataset_products.parquet"
STAGE = re.compile(r'^stockroom_search_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)$', re.MULTILINE)


class Service:
    """A running service, and the clients that ask it."""

    def __init__(self, home: Path, workers: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [str(STOCKROOM), "serve", "--home", str(home), "--port", str(port), "--workers", str(workers)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 as long as the process
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=600, trust_env=False)

    def wait(self) -> float:
        """Return the seconds until searches are answered and deltas applied."""
        began = time.perf_counter()
        while True:
            if self._process.poll() is not None:
                self._log.seek(0)
                sys.exit(f"the service ended: {self._log.read()[-2_000:].decode()}")
            try:
                if self.client.get("/readyz").json()["takes_deltas"]:
                    return time.perf_counter() - began
            except httpx.TransportError:
                pass
            time.sleep(0.05)

    def close(self) -> None:
        """End the service."""
        self.client.close()
        os.kill(self._process.pid, signal.SIGTERM)
        self._process.wait(60)
        self._log.close()


def load(service: Service, queries: list[str], requests: int, clients: int, ends_at: float) -> dict[str, Any]:
    """Ask queries from several clients in closed loops; return milliseconds, statuses, releases and seconds."""
    milliseconds: list[float] = []
    statuses: Counter[int] = Counter()
    releases: Counter[int] = Counter()
    hits: set[tuple[int, str, str]] = set()

    def one(number: int) -> None:
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
            for turn in range(number, requests, clients):
                if time.monotonic() > ends_at:
                    return
                began = time.perf_counter()
                answer = client.get("/search", params={"q": queries[turn % len(queries)]})
                milliseconds.append(1000 * (time.perf_counter() - began))
                statuses[answer.status_code] += 1
                if answer.is_success:
                    found = answer.json()
                    releases[found["release"]] += 1
                    hits.update((found["release"], hit["key"], hit["title"]) for hit in found["hits"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "ms": milliseconds,
        "statuses": dict(statuses),
        "releases": dict(releases),
        "seconds": seconds,
        "hits": hits,
    }


def foreign(folder: Path, hits: set[tuple[int, str, str]]) -> int:
    """Return how many hits are not of the release that their answer names, with its title there."""
    home, count = open_home(load_settings(folder)), 0
    for number in {release for release, _, _ in hits}:
        release = home.releases.get(number)
        rows = home.vectors.read(release.vector_table, release.vector_version, ["key", "title"])
        titles = dict(zip(rows["key"].to_pylist(), rows["title"].to_pylist(), strict=True))
        count += sum(titles.get(key) != title for each, key, title in hits if each == number)
    return count


def build_again(home: Path, raw: Path, turn: int) -> float:
    """Build from the files of a catalog with some other titles; return the seconds."""
    folder = raw.with_name(f"{raw.name}-{turn}")
    shutil.copytree(raw, folder)
    renamed = pl.when(pl.int_range(pl.len()) % 100 == turn).then(
        pl.concat_str("product_title", pl.lit(f" build {turn}"))
    )
    products = pl.read_parquet(raw / PRODUCTS)
    products.with_columns(product_title=renamed.otherwise("product_title")).write_parquet(folder / PRODUCTS)
    began = time.perf_counter()
    command = [STOCKROOM, "build", "--raw", folder, "--home", home, "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def stages(service: Service) -> dict[str, float]:
    """Return the mean milliseconds of each stage of the searches so far, of all processes."""
    found: dict[str, dict[str, float]] = {}
    for kind, stage, value in STAGE.findall(service.client.get("/metrics").text):
        found.setdefault(stage, {})[kind] = float(value)
    return {stage: 1000 * each["sum"] / each["count"] for stage, each in found.items() if each["count"]}


def post(service: Service, rows: list[dict[str, Any]]) -> float:
    """Return the seconds from a POST to its answer."""
    began = time.perf_counter()
    answer = service.client.post("/deltas", json=rows)
    answer.raise_for_status()
    return time.perf_counter() - began


def changed(products: pl.DataFrame, count: int, turn: int) -> list[dict[str, Any]]:
    """Return some products with a changed title."""
    rows = products.sample(count, seed=turn).with_columns(
        product_title=pl.concat_str("product_title", pl.lit(f" edition {turn}")), op=pl.lit("upsert")
    )
    return rows.to_dicts()


def main() -> None:
    """Measure, print and write the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--home", type=Path, help="a home to copy; default: one of an invented catalog")
    parser.add_argument("--products", type=int, default=10_000, help="size of the invented catalog")
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--deltas", type=int, default=5, help="how often one product, and 1 %% of them, are posted")
    parser.add_argument("--during", action="store_true", help="post deltas while searches run")
    parser.add_argument("--builds", type=int, default=0, help="how many builds run while searches do")
    parser.add_argument("--most-s", type=float, default=1_800, help="time after which no further request is sent")
    options = parser.parse_args()
    ends_at = time.monotonic() + options.most_s
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-") as made:
        folder, home = Path(made), Path(made) / "home"
        write_esci(folder / "esci", options.products, 7)
        if options.home:
            shutil.copytree(options.home, home, ignore=shutil.ignore_patterns("*-shm", "*-wal", "*.lock"))
        else:
            built = [STOCKROOM, "build", "--raw", folder / "esci", "--home", home, "--json"]
            subprocess.run(built, check=True, stdout=subprocess.DEVNULL)
        queries = (
            pl.read_parquet(folder / "esci" / EXAMPLES)["query"].drop_nulls().unique(maintain_order=True).to_list()
        )
        queries = [query for query in queries if query.strip()]
        products = pl.read_parquet(folder / "esci" / PRODUCTS).drop_nulls(
            ["product_title", "product_id", "product_locale"]
        )
        columns = [name for name in products.columns if name.startswith("product_")]
        service = Service(home, options.workers)
        bench = Bench(f"The service: {options.clients} clients, {options.workers} workers")
        try:
            bench.add("from the start to the first delta", service.wait(), "s")
            alone = load(service, queries, min(200, options.requests), 1, ends_at)
            bench.add("one client, p50", float(np.percentile(alone["ms"], 50)), "ms")
            stop, posted = threading.Event(), []

            def keep_posting() -> None:
                while not stop.wait(0.5):
                    posted.append(post(service, changed(products.select(columns), 1, 1_000 + len(posted))))

            poster = threading.Thread(target=keep_posting)
            built_s: list[float] = []

            def keep_building() -> None:
                for turn in range(1, options.builds + 1):
                    built_s.append(build_again(home, folder / "esci", turn))

            builder = threading.Thread(target=keep_building)
            builder.start()
            if options.during:
                poster.start()
            together = load(service, queries, options.requests, options.clients, ends_at)
            stop.set()
            if options.during:
                poster.join()
                bench.facts["posted_during"] = posted
            builder.join()
            bench.facts["built_during_s"] = built_s
            bench.add("hits of another release", foreign(home, together["hits"]), "hits", at_most=0.5)
            bench.add("requests a second", len(together["ms"]) / together["seconds"], "/s")
            for percent in (50, 99):
                bench.add(f"{options.clients} clients, p{percent}", float(np.percentile(together["ms"], percent)), "ms")
            faults = sum(count for status, count in together["statuses"].items() if status >= 500)
            bench.add("faults", faults, "answers", at_most=0.5)
            bench.facts |= {name: together[name] for name in ("statuses", "releases")}
            for stage, each in stages(service).items():
                bench.add(f"stage {stage}, mean", each, "ms")
            for rows in (1, max(1, options.products // 100)) if options.deltas else ():
                seconds = [
                    post(service, changed(products.select(columns), rows, 100 * rows + turn))
                    for turn in range(options.deltas)
                ]
                at_most = {"at_most": 4.0} if rows == 1 else {}
                bench.add(f"{counted(rows, 'product')}, from POST to searchable", median(seconds), "s", **at_most)
                bench.facts[f"posted_{rows}_s"] = seconds
        finally:
            service.close()
        print(json.dumps(bench.facts))
        bench.finish(options.json)


if __name__ == "__main__":
    main()
