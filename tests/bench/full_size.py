"""Full size: every stage from the raw files to the training pairs beside DuckDB copying the same files to zstd parquet.

Each stage runs in a process of its own, so that its peak memory is its own. Then a second snapshot, of which one product
in a hundred has another title, is brought in. Run it with: python tests/bench/full_size.py [--products N].
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from figures import Bench, arguments, in_own_process, peak_mb

from warehouse import quarantine, tables
from warehouse.contracts.registry import CONTRACTS
from warehouse.doors import DOORS
from warehouse.ingest import ingest
from warehouse.lake import Lake
from warehouse.sample import write_sample
from warehouse.sample.writer import PRODUCTS
from warehouse.staging import refresh_products, refresh_queries

FULL_PRODUCTS = 1_814_924
SEED = 7
MOST_TIMES_A_COPY = 8.0
MOST_MEMORY_MB = 6144
MOST_OF_FIRST = 0.2


def refresh(table: str) -> Callable[[Lake, Path], object]:
    """Return the stage that brings a table made by its SQL file up to date."""

    def stage(lake: Lake, raw: Path) -> None:
        settings = {
            "staging.judgements": {"judged_at": lake.settings.judged_at},
            "training.queries": {"validation_percent": lake.settings.validation_percent},
        }
        with lake.writing() as connection:
            tables.refresh(connection, CONTRACTS[table], settings.get(table))
            if table in ("staging.judgements", "training.pairs"):
                quarantine.refuse(connection, table)

    return stage


STAGES: dict[str, Callable[[Lake, Path], object]] = {
    "raw": ingest,
    "staging.products": lambda lake, raw: refresh_products(lake),
    "staging.queries": lambda lake, raw: refresh_queries(lake),
    **{
        table: refresh(table)
        for table in (
            "staging.judgements",
            "training.queries",
            "fitted.vocabulary",
            "features.products",
            "features.queries",
            "features.pairs",
            "training.pairs",
        )
    },
}


def copy(raw: Path, out: Path) -> None:
    """Copy the raw files to zstd parquet with DuckDB, which no stage that rewrites them all can beat by much."""
    with duckdb.connect() as connection:
        for number, door in enumerate(DOORS):
            reader = "read_csv" if door.file_name.endswith(".csv") else "read_parquet"
            source = connection.sql(f"SELECT * FROM {reader}($path)", params={"path": str(raw / door.file_name)})
            source.write_parquet(str(out / f"copy-{number}.parquet"), compression="zstd")


def change_some(raw: Path, out: Path) -> None:
    """Write a second snapshot: the same files, but for the titles of one product in a hundred."""
    shutil.copytree(raw, out)
    (out / PRODUCTS).unlink()
    with duckdb.connect() as connection:
        connection.sql(
            "SELECT * EXCLUDE (file_row_number) "
            "REPLACE (if(file_row_number % 100 = 0, concat(product_title, ' (new)'), product_title) AS product_title) "
            "FROM read_parquet($path, file_row_number = true)",
            params={"path": str(raw / PRODUCTS)},
        ).write_parquet(str(out / PRODUCTS), compression="zstd")


def step(name: str, home: Path, raw: Path) -> None:
    """Run one step in this process and print its seconds and peak memory."""
    started = time.perf_counter()
    if name == "sample":
        write_sample(raw, int(home.name.split("-")[-1]), SEED)
    elif name == "copy":
        copy(raw, home)
    else:
        STAGES[name](Lake(home / "lake"), raw)
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}))


def measure(products: int, folder: Path, bench: Bench) -> None:
    """Measure everything and add it to the benchmark's figures."""
    home, raw, second = folder / f"home-{products}", folder / "raw", folder / "second"
    home.mkdir()

    def run(name: str, source: Path) -> tuple[float, float]:
        told = in_own_process(__file__, "--step", name, "--home", home, "--raw", source)
        print(f"{name}: {told['seconds']:.1f} s, {told['peak_mb']} MB", flush=True)
        return float(told["seconds"]), float(told["peak_mb"])

    made, made_mb = run("sample", raw)
    bench.add("sample", made, "s")
    bench.add("sample: peak memory", made_mb, "MB", at_most=MOST_MEMORY_MB)
    copies = [run("copy", raw)[0] for _ in range(3)]
    first = {name: run(name, raw) for name in STAGES}
    limit = sorted(copies)[1]
    for name, (spent, _) in first.items():
        bench.add(name, spent, "s", beside="DuckDB copies the raw files", reference=limit)
    total, peak = sum(spent for spent, _ in first.values()), max(peak for _, peak in first.values())
    beside = "DuckDB copies the raw files"
    bench.add("raw to training pairs", total, "s", beside=beside, reference=limit, at_most=MOST_TIMES_A_COPY)
    bench.add("peak memory of a stage", peak, "MB", at_most=MOST_MEMORY_MB)
    change_some(raw, second)
    again = sum(run(name, second)[0] for name in STAGES)
    bench.add("1 % changed", again, "s", beside="the first snapshot", reference=total, at_most=MOST_OF_FIRST)
    bench.facts |= {"products": products, "raw_bytes": sum(path.stat().st_size for path in raw.iterdir())}


def main() -> None:
    """Run the benchmark, or one step of it."""
    parser = arguments(__doc__)
    parser.add_argument("--products", type=int, default=FULL_PRODUCTS, help="products in the sample (default: as ESCI)")
    parser.add_argument("--folder", type=Path, help="directory for what is made, a temporary one by default")
    for name in ("step", "home", "raw"):
        parser.add_argument(f"--{name}", type=str if name == "step" else Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step, options.home, options.raw)
        return
    bench = Bench(f"Full size: {options.products:,} products")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(options.products, Path(folder), bench)
    bench.finish(options.json)


if __name__ == "__main__":
    main()
