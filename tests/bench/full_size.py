"""Full size: compare the assets from raw files to training pairs with DuckDB copying the same files to zstd parquet.

It makes a synthetic catalog of the size of ESCI, materializes every asset from the raw tables to the training pairs with the
in-process executor, and ingests further snapshots in which 1 % of the products have another title. It also compares the build
of a tenth of the rows with a simple pandas version, whose values must be equal. Each step runs in its own process, for its own
peak memory. The figures are medians of --rounds.

Run it with: python tests/bench/full_size.py [--products N] [--rounds N] [--folder DIR] [--pandas PYTHON] [--json FILE]. It
needs 12 GB of disk. With --folder the catalog that was invented is kept there and used again. PYTHON is that of an environment
of its own, made with: python3 -m venv DIR && DIR/bin/pip install -r tests/bench/reference/pandas.txt. Without it pandas is left
out.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import polars as pl
from figures import Bench, Figure, arguments, in_own_process, peak_mb

from warehouse.contracts.esci_files import PRODUCTS_FILE as PRODUCTS
from warehouse.ingest.sources import SOURCE_SPECS
from warehouse.lake.lake import Lake
from warehouse.sample import write_esci

FULL_PRODUCTS = 1_814_924
SEED = 7
ROUNDS = 3
MOST_TIMES_A_COPY = 8.0
MOST_MEMORY_MB = 6144
MOST_OF_FIRST = 0.2
MOST_SAMPLE_MEMORY_MB = 2048
PANDAS = Path(__file__).parent / "reference" / "ducklake.py"

STAGES = {
    "raw": ("raw.products", "raw.judgements", "raw.sources"),
    "staging.products": (),
    "staging.queries": (),
    "staging.judgements": (),
    "splits.queries": (),
    "fitted.vocabulary": (),
    "fitted.words": (),
    "features.products": (),
    "features.queries": (),
    "features.pairs": (),
    "training.pairs": (),
}
"""The steps of the job in order, with the tables that each fills where these are not just the one of its name."""

PANDAS_TABLES = ("staging.products", "features.products", "features.pairs", "training.pairs")


def copy(raw: Path, out: Path) -> None:
    """Copy the raw files to zstd parquet with DuckDB: about the least time of a stage that rewrites all rows."""
    with duckdb.connect() as connection:
        for number, source_spec in enumerate(SOURCE_SPECS):
            reader = "read_csv" if source_spec.file_name.endswith(".csv") else "read_parquet"
            source = connection.sql(f"SELECT * FROM {reader}($path)", params={"path": str(raw / source_spec.file_name)})
            source.write_parquet(str(out / f"copy-{number}.parquet"), compression="zstd")


def copy_table(home: Path, table: str) -> None:
    """Copy a table of the lake to zstd parquet: the limit of the stage that writes it."""
    with Lake(home / "lake").reading() as connection:
        connection.sql(f"FROM {table}").write_parquet(str(home / "copy.parquet"), compression="zstd")
    (home / "copy.parquet").unlink()


def build(home: Path, raw: Path) -> dict[str, float]:
    """Run the assets from the raw tables to the training pairs, with their checks, and return the seconds of each step.

    Then a checkpoint of the lake is created, as at the end of every run: the next run starts from it.
    """
    import dagster as dg

    from assets.run_end import written_down
    from orchestration.config.open_context import open_run_context
    from orchestration.config.settings import load_settings
    from orchestration.defs.build_definitions import assemble
    from orchestration.instance.dagster_instance import open_instance
    from warehouse.history import checkpoints

    home.mkdir(exist_ok=True)
    run_context = replace(open_run_context(load_settings(home)), raw=raw)
    keys = ["raw/products", *(stage.replace(".", "/") for stage in STAGES if stage != "raw")]
    job = dg.define_asset_job("to_pairs", dg.AssetSelection.assets(*keys).required_multi_asset_neighbors())
    definitions = dg.Definitions.merge(assemble(), dg.Definitions(jobs=[job]))
    with open_instance(run_context.home) as instance:
        started = time.perf_counter()
        with written_down(run_context):
            done = definitions.resolve_job_def("to_pairs").execute_in_process(
                instance=instance,
                resources={"run_context": run_context},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        spent = {"run": time.perf_counter() - started}
        for step in instance.get_run_step_stats(done.run_id):
            if step.start_time is not None and step.end_time is not None:
                stage = _stage_of(step.step_key)
                spent[stage] = spent.get(stage, 0.0) + step.end_time - step.start_time
        started = time.perf_counter()
        checkpoints.create(run_context.home.lake, done.run_id, datetime.now(UTC))
        spent["checkpoint"] = time.perf_counter() - started
    return spent


def _stage_of(step_key: str) -> str:
    """Return the stage that a step belongs to."""
    return step_key.replace("__", ".")


def change_some(raw: Path, out: Path, percent: int) -> None:
    """Write another snapshot: the same files with other titles for `percent` percent of the products."""
    shutil.copytree(raw, out, ignore=shutil.ignore_patterns(PRODUCTS))
    with duckdb.connect() as connection:
        connection.sql(
            "SELECT * EXCLUDE (file_row_number) REPLACE "
            "(if(file_row_number % 100 < $percent, concat(product_title, ' (new)'), product_title) AS product_title) "
            "FROM read_parquet($path, file_row_number = true)",
            params={"path": str(raw / PRODUCTS), "percent": percent},
        ).write_parquet(str(out / PRODUCTS), compression="zstd")


def differing_cells(home: Path, made: Path) -> tuple[int, int]:
    """Compare pandas' tables with the lake's: return the numbers of compared and of differing values, with missing rows."""
    cells = differing = 0
    with Lake(home / "lake").reading() as connection:
        for table in PANDAS_TABLES:
            theirs = pl.read_parquet(made / f"{table}.parquet")
            names = [name for name in theirs.columns if name != "key"]
            ours = connection.sql(f"SELECT key, {', '.join(names)} FROM {table}").pl()
            both = ours.join(theirs, on="key", how="full", suffix="_theirs")
            cells += both.height * len(names)
            differing += sum(
                both.filter(pl.col(name).ne_missing(pl.col(f"{name}_theirs").cast(ours[name].dtype))).height
                for name in names
            )
    return cells, differing


def step(options: argparse.Namespace) -> None:
    """Run one step in this process and print its seconds and peak memory."""
    steps: dict[str, Callable[[], Any]] = {
        "sample": lambda: write_esci(options.raw, options.products, SEED).rows,
        "copy": lambda: copy(options.raw, options.home),
        "build": lambda: build(options.home, options.raw),
        "table": lambda: copy_table(options.home, options.table),
    }
    started, worked = time.perf_counter(), time.process_time()
    facts = steps[options.step]()
    spent = {"seconds": time.perf_counter() - started, "processor_s": time.process_time() - worked}
    print(json.dumps(spent | {"peak_mb": peak_mb(), "steps": facts or {}}))


def run(name: str, home: Path, raw: Path, *more: object) -> dict[str, Any]:
    """Run a step in its own process, and print its figures."""
    report = in_own_process(__file__, "--step", name, "--home", home, "--raw", raw, *more)
    print(
        f"{' '.join(map(str, (name, *more)))}: {report['seconds']:.1f} s, {report['processor_s']:.1f} s of processors, "
        f"{report['peak_mb']:,} MB",
        flush=True,
    )
    return report


def whole(report: dict[str, Any]) -> float:
    """Return the seconds of a run of the assets, including the creation of its checkpoint."""
    return float(report["steps"]["run"] + report["steps"]["checkpoint"])


def middle(rounds: list[dict[str, Any]], what: Callable[[dict[str, Any]], float]) -> float:
    """Return the median of a figure over the rounds."""
    return median(map(what, rounds))


def measure(products: int, rounds: int, raw: Path, folder: Path, bench: Bench) -> None:
    """Measure all steps and add the figures."""
    home = folder / "home"
    if not raw.exists():
        made = run("sample", home, raw, "--products", products)
        bench.add("sample", made["seconds"], "s")
        bench.add("sample: peak memory", made["peak_mb"], "MB", at_most=MOST_SAMPLE_MEMORY_MB)
    (folder / "copy").mkdir()
    copies = [run("copy", folder / "copy", raw) for _ in range(ROUNDS)]
    shutil.rmtree(folder / "copy")
    first = []
    for _ in range(rounds):
        shutil.rmtree(home, ignore_errors=True)
        first.append(run("build", home, raw))
    for stage, tables in STAGES.items():
        copied = sum(run("table", home, raw, "--table", table)["seconds"] for table in tables or (stage,))
        spent = middle(first, lambda report, stage=stage: report["steps"][stage])  # type: ignore[misc]
        bench.add(stage, spent, "s", beside="DuckDB copies what it writes", reference=copied)
    bench.add(
        "raw to training pairs",
        middle(first, lambda report: report["steps"]["run"]),
        "s",
        beside="DuckDB copies the raw files",
        reference=middle(copies, lambda report: report["seconds"]),
        at_most=MOST_TIMES_A_COPY,
    )
    bench.add(  # whatever else the machine does meanwhile
        "raw to training pairs: processor time",
        middle(first, lambda report: report["processor_s"]),
        "s",
        beside="DuckDB copies the raw files",
        reference=middle(copies, lambda report: report["processor_s"]),
    )
    bench.add("raw to training pairs: peak memory", max(map(_peak, first)), "MB", at_most=MOST_MEMORY_MB)
    again = []
    for percent in range(1, rounds + 1):
        change_some(raw, folder / "next", percent)
        again.append(run("build", home, folder / "next"))
        shutil.rmtree(folder / "next")
    bench.add(
        "another snapshot, 1 % changed, until its checkpoint",
        middle(again, whole),
        "s",
        beside="the first",
        reference=middle(first, whole),
        at_most=MOST_OF_FIRST,
    )
    bench.add(
        "another snapshot: processor time",
        middle(again, lambda report: report["processor_s"]),
        "s",
        beside="the first",
        reference=middle(first, lambda report: report["processor_s"]),
    )
    bench.add("another snapshot: peak memory", max(map(_peak, again)), "MB", at_most=MOST_MEMORY_MB)
    bench.facts |= {
        "products": products,
        "raw_bytes": {path.name: path.stat().st_size for path in sorted(raw.iterdir())},
        "seconds_of_steps": {
            "first": [report["steps"] for report in first],
            "another": [report["steps"] for report in again],
        },
    }
    shutil.rmtree(home)


def _peak(report: dict[str, Any]) -> int:
    return int(report["peak_mb"])


def beside_pandas(python: str, products: int, folder: Path, bench: Bench) -> list[Figure]:
    """Compare the build of a tenth of the rows with pandas on the same files."""
    home, raw, made = folder / "home-tenth", folder / "raw-tenth", folder / "pandas"
    run("sample", home, raw, "--products", products // 10)
    ours = run("build", home, raw)
    made.mkdir()
    done = subprocess.run([python, PANDAS, raw, made], check=True, stdout=subprocess.PIPE, text=True)
    theirs = json.loads(done.stdout)
    cells, differing = differing_cells(home, made)
    name, beside = f"a tenth: {products // 10:,} products", "pandas, which makes half the features"
    bench.facts["pandas"] = {"cells": cells, "differing": differing}
    return [
        bench.add(name, ours["steps"]["run"], "s", beside=beside, reference=theirs["seconds"]),
        bench.add(f"{name}: peak memory", ours["peak_mb"], "MB", beside="pandas", reference=theirs["peak_mb"]),
        bench.add(f"{name}: values that differ, of {cells:,}", differing, "values", at_most=0),
    ]


def main() -> None:
    """Run the benchmark, or one step of it."""
    parser = arguments(__doc__)
    parser.add_argument("--products", type=int, default=FULL_PRODUCTS, help="products in the sample (default: as ESCI)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="first builds, and snapshots after the last of them")
    parser.add_argument("--folder", type=Path, help="directory for what is made, a temporary one by default")
    parser.add_argument("--pandas", metavar="PYTHON", default=os.environ.get("PANDAS_PYTHON"), help="see above")
    for name in ("step", "table", "home", "raw"):
        parser.add_argument(f"--{name}", type=Path if name in ("home", "raw") else str, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options)
        return
    bench = Bench(f"Full size: {options.products:,} products")
    with tempfile.TemporaryDirectory(prefix="stockroom-bench-", dir=options.folder) as folder:
        raw = (options.folder or Path(folder)) / f"raw-{options.products}"
        measure(options.products, options.rounds, raw, Path(folder), bench)
        if options.pandas:
            beside_pandas(options.pandas, options.products, Path(folder), bench)
        else:
            print("pandas is left out: name an environment that has it with --pandas or PANDAS_PYTHON")
    bench.finish(options.json)


if __name__ == "__main__":
    main()
