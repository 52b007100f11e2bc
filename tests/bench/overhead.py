"""Measure the overhead of a job: by asset and check, and for commands that have nothing to do.

Run it with: python tests/bench/overhead.py [--products 500] [--rounds 3] [--json FILE]. In homes of a sample it measures:

- a first build, and builds and applies after it: the seconds of the job (`run_job`: the instance, the run, every step, the
  report) less those inside the functions of its assets and checks, divided by the assets; and the same by step, checks too.
- a build that finds nothing new: all of its seconds divided by the assets. What its functions do (read, compare, check, report)
  is no more than finding out that there is nothing to do, so that this is the most that the overhead can be.
- whole processes, from a cold start: `stockroom apply` of a known file, `stockroom build` where nothing changed,
  `stockroom apply` of one changed product.

Figures are medians of the rounds, but for the first build, which each round makes in a home of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from figures import Bench, arguments, in_own_process, seconds

TARGET_S, COMMAND_S, SEARCHABLE_S = 0.3, 5.0, 10.0
_SETTINGS = "[training]\nepochs = 2\n"


def main() -> None:
    """Measure, print the table and write the figures; or make one step of it in this process."""
    parser = arguments(__doc__)
    parser.add_argument("--products", type=int, default=500, help="products of the sample")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--builds", type=Path, metavar="HOME", help="build this home twice, and print what it took")
    parser.add_argument("--raw", type=Path)
    options = parser.parse_args()
    if options.builds:
        print(json.dumps([build(options.builds, options.raw), build(options.builds, None)]))
        return
    bench = Bench(f"the job's own overhead, {options.products:,} products")
    with tempfile.TemporaryDirectory(prefix="stockroom-overhead-") as folder:
        measure(bench, Path(folder), options.products, options.rounds)
    bench.finish(options.json)


def measure(bench: Bench, folder: Path, products: int, rounds: int) -> None:
    """Add the figures."""
    raw = folder / "esci"
    command("sample", "--products", products, "--out", raw)
    first, second = [], []
    for number in range(rounds):
        home = folder / f"home{number}"
        home.mkdir()
        (home / "stockroom.toml").write_text(_SETTINGS, encoding="utf-8")
        report: Any = in_own_process(__file__, "--builds", home, "--raw", raw)
        first.append(report[0])
        second.append(report[1])
    bench.facts |= {"rounds": rounds, "first": first, "second": second}

    for name, builds in (("first build", first), ("build of nothing new", second)):
        beyond = [build["job_s"] - build["inside_s"] for build in builds]
        by_asset = median(beyond[place] / build["assets"] for place, build in enumerate(builds))
        by_step = median(beyond[place] / build["steps"] for place, build in enumerate(builds))
        bench.add(f"{name}: beyond its functions, by asset", by_asset, "s", at_most=TARGET_S)
        bench.add(f"{name}: beyond its functions, by step", by_step, "s")
    whole = median(build["job_s"] / build["assets"] for build in second)
    bench.add("build of nothing new: all of it, by asset", whole, "s", at_most=TARGET_S)

    changes = changed_products(raw, folder, rounds)
    applied = [took("apply", change, "--home", home) for change in changes]
    unchanged = [took("apply", changes[-1], "--home", home) for _ in range(rounds)]
    took("build", "--home", home)  # measures the model on what changed
    built = [took("build", "--home", home) for _ in range(rounds)]
    bench.add("stockroom apply, file known", median(unchanged), "s", at_most=COMMAND_S)
    bench.add("stockroom build, nothing new", median(built), "s", at_most=COMMAND_S)
    bench.add("stockroom apply, one product changed", median(applied), "s", at_most=SEARCHABLE_S)


def changed_products(raw: Path, folder: Path, count: int) -> list[Path]:
    """Write delta files that change the title of one product each."""
    products = pl.read_parquet(raw / "shopping_queries_dataset_products.parquet").filter(
        pl.col("product_title").is_not_null(), pl.col("product_id") != ""
    )
    made = [folder / f"change{number}.jsonl" for number in range(count)]
    for number, path in enumerate(made):
        row = products.row(number, named=True) | {"op": "upsert", "product_title": f"another title, number {number}"}
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return made


def build(home: Path, raw: Path | None) -> dict[str, float]:
    """Build, and return the seconds of the job and of the functions of its assets and checks, and how many there were."""
    from dagster._core.execution.plan import compute_generator

    from orchestration.commands.build import run_job
    from orchestration.config.open_context import open_run_context
    from orchestration.config.settings import load_settings
    from orchestration.instance.locks import run_lock

    inside, steps = 0.0, 0
    invoke = compute_generator.invoke_compute_fn

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal inside, steps
        started = time.perf_counter()
        result = invoke(*arguments, **named)
        inside += time.perf_counter() - started
        steps += 1
        return timed_rows(result) if isinstance(result, Iterator) else result

    def timed_rows(rows: Iterator[Any]) -> Iterator[Any]:
        nonlocal inside
        while True:
            started = time.perf_counter()
            row = next(rows, None)
            inside += time.perf_counter() - started
            if row is None:
                return
            yield row

    run_context = open_run_context(load_settings(home))
    run_context = replace(run_context, raw=raw or run_context.raw)
    compute_generator.invoke_compute_fn = timed
    try:
        with run_lock(run_context.home):
            job_s = seconds(lambda: run_job(run_context))
    finally:
        compute_generator.invoke_compute_fn = invoke
    assets = len(run_context.home.journal.last())
    return {"job_s": job_s, "inside_s": inside, "steps": steps, "assets": assets}


def took(*arguments: object) -> float:
    """Return the seconds of a command from a cold start."""
    return seconds(lambda: command(*arguments))


def command(*arguments: object) -> None:
    """Run a stockroom command in its own process."""
    subprocess.run(
        [sys.executable, "-c", "from orchestration.cli import main; main()", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
