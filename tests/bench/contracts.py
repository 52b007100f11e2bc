"""Measure ingestion, cleaning, features and contract checks of a large catalog, in time and additional memory.

Run it with: python tests/bench/contracts.py [--rows 1800000] [--folder DIR] [--json FILE]. It writes rows of invented text
(2.2 GB of it at 1.8 million rows) as an ESCI products file, ingests the file, cleans it and makes features (both
check batches of new rows against their contract), and verifies the three tables. Each step runs in its own process.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import Bench, arguments, in_own_process, peak_mb

from warehouse.contracts.registry import CONTRACTS
from warehouse.ingest.full_snapshot import ingest
from warehouse.lake import tables
from warehouse.lake.contract_check import verify
from warehouse.lake.lake import Lake, connect
from warehouse.transform.staging import refresh_products

TABLES = ("raw.products", "staging.products", "features.products")
STEPS = {
    "ingest": "take the products in",
    "clean": "clean them",
    "features": "make their features",
    "verify": f"verify {', '.join(TABLES)}",
}
MOST_BEYOND_START_MB = 2048

PRODUCTS = """
COPY (
    SELECT
        printf('B%09d', i) AS product_id,
        concat_ws(' ', title, 'with', pattern, 'for', 'item', i) AS product_title,
        '<p>' || repeat(concat_ws(' ', pattern, title, i, '&amp; more. '), 12) || '</p>' AS product_description,
        repeat(concat_ws(' ', 'Feature', i, title, chr(10)), 10) AS product_bullet_point,
        'Brand ' || (i % 20000) AS product_brand,
        CASE WHEN i % 3 > 0 THEN 'Color ' || (i % 50) END AS product_color,
        CASE i % 6 WHEN 0 THEN 'es' WHEN 1 THEN 'jp' ELSE 'us' END AS product_locale
    FROM (SELECT range AS i, md5(range::VARCHAR) AS title, md5((range % 977)::VARCHAR)[:20] AS pattern FROM range($rows))
) TO '{path}' (COMPRESSION zstd, ROW_GROUP_SIZE 122880)
"""

EXAMPLES = """
COPY (
    SELECT 1 AS example_id, 'a' AS query, 1 AS query_id, 'B000000002' AS product_id, 'us' AS product_locale,
        'E' AS esci_label, 1 AS small_version, 1 AS large_version, 'train' AS split
) TO '{path}'
"""


def prepare(folder: Path, rows: int) -> dict[str, float]:
    """Write the two files that an ingest needs."""
    folder.mkdir(parents=True, exist_ok=True)
    products = folder / "shopping_queries_dataset_products.parquet"
    with connect(memory_gb=2.0) as connection:
        connection.execute(PRODUCTS.format(path=products), {"rows": rows})
        connection.execute(EXAMPLES.format(path=folder / "shopping_queries_dataset_examples.parquet"))
        text = connection.execute(
            "SELECT sum(strlen(product_title) + strlen(product_description) + strlen(product_bullet_point)) / 1e9 "
            f"FROM '{products}'"
        ).fetchone()
    return {"file_gb": round(products.stat().st_size / 1e9, 2), "text_gb": round(float(text[0]) if text else 0, 2)}


def step(name: str, folder: Path) -> dict[str, object]:
    """Run one step on the lake in `folder`; return its seconds, and its peak memory beyond that of the process at the start."""
    lake = Lake(folder / "lake")
    before, started, broken = peak_mb(), time.perf_counter(), dict[str, list[str]]()
    if name == "ingest":
        ingest(lake, folder)
    elif name == "clean":
        refresh_products(lake)
    elif name == "features":
        with lake.writing() as connection:
            tables.refresh(connection, CONTRACTS["features.products"])
    elif name == "verify":
        with lake.reading() as connection:
            for table in TABLES:
                broken[table] = [str(one) for one in verify(connection, CONTRACTS[table], lake.settings.batch_rows)]
    return {"seconds": time.perf_counter() - started, "beyond_start_mb": peak_mb() - before, "broken": broken}


def measure(folder: Path, rows: int, bench: Bench) -> None:
    """Run every step in its own process and add its figures."""
    bench.facts |= {"rows": rows, **prepare(folder, rows)}
    for name, what in STEPS.items():
        report: dict[str, Any] = in_own_process(__file__, "--step", name, "--folder", folder)
        bench.add(what, report["seconds"], "s")
        # The bound is the contracts' own; the other steps hold DuckDB's buffers besides, up to its memory limit.
        bound = MOST_BEYOND_START_MB if name == "verify" else None
        bench.add(f"{what}: memory beyond start", report["beyond_start_mb"], "MB", at_most=bound)
        if name == "verify":
            bench.add("rules found broken", sum(map(len, report["broken"].values())), "rules", at_most=0)


def main() -> None:
    """Run the benchmark, or one step of it."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1_800_000, help="products in the file")
    parser.add_argument("--folder", type=Path, help="directory for what is made, a temporary one by default")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(options.step, options.folder)))
        return
    bench = Bench(f"Contracts: {options.rows:,} products")
    folder = Path(tempfile.mkdtemp(prefix="stockroom-bench-", dir=options.folder))
    try:
        measure(folder, options.rows, bench)
    finally:
        shutil.rmtree(folder)
    bench.finish(options.json)


if __name__ == "__main__":
    main()
