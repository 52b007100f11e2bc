"""Measure the overhead of a job: by asset, and for commands that have nothing to do.

Run it with: python tests/bench/overhead.py [--products 500] [--rounds 3] [--json FILE]. In homes of a sample it measures:

- a build that finds nothing new: the seconds of the job (`run_job`: the instance, the run, every step, the report) divided by
  the assets. Its functions do no more than find out that there is nothing to do, so this is the most that the overhead can be.
- whole processes, from a cold start: `stockroom apply` of a known file, `stockroom build` where nothing changed,
  `stockroom apply` of one changed product.

Figures are medians of the rounds, each in a home of its own.
"""

import json
import subprocess
import sys
import tempfile
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
    repeated = []
    for number in range(rounds):
        home = folder / f"home{number}"
        home.mkdir()
        (home / "stockroom.toml").write_text(_SETTINGS, encoding="utf-8")
        report: Any = in_own_process(__file__, "--builds", home, "--raw", raw)
        repeated.append(report[1])
    bench.facts |= {"rounds": rounds, "repeated": repeated}

    whole = median(build["job_s"] / build["assets"] for build in repeated)
    bench.add("build of nothing new, by asset", whole, "s", at_most=TARGET_S)

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
    """Build, and return the seconds of the job and the number of assets."""
    from orchestration.commands.build import build as run_build
    from orchestration.config.open_context import open_run_context
    from orchestration.config.settings import load_settings

    run_context = open_run_context(load_settings(home))
    job_s = seconds(lambda: run_build(run_context, raw))
    return {"job_s": job_s, "assets": len(run_context.home.journal.last())}


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
