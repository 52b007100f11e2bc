"""Measure what it costs to hold a large catalogue against its contract: time, and memory beyond a process that does nothing.

Run it with: python tests/bench/contracts.py [--rows 1800000] [--folder DIR] [--json FILE]. It writes rows of invented text
(2.2 GB of it at 1.8 million rows) as an ESCI products file, takes the file in, cleans it and makes features (both hold batches
of new rows against their contract), and verifies the three tables that come of it, each step in a process of its own: seconds,
most memory of the process, and how much of that came after its start.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from figures import Bench, arguments, in_own_process, peak_mb

from warehouse import tables
from warehouse.contracts.registry import CONTRACTS
from warehouse.ingest import ingest
from warehouse.lake import Lake, connect
from warehouse.staging import refresh_products
from warehouse.verification import verify

TABLES = ("raw.products", "staging.products", "features.products")
STEPS = ("ingest", "clean", "features", "verify")

PRODUCTS = """
COPY (
    SELECT
        printf('B%09d', i) AS product_id,
        concat_ws(' ', title, 'with', pattern, 'for', 'item', i) AS product_title,
        '<p>' || repeat(concat_ws(' ', pattern, title, i, '&amp; more. '), 12) || '</p>' AS product_description,
        repeat(concat_ws(' ', 'Feature', i, title, chr(10)), 10) AS product_bullet_point,
        'Brand ' || (i % 20000) AS product_brand,
        CASE WHEN i % 3 > 0 THEN 'Colour ' || (i % 50) END AS product_color,
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
    """Do one step on the lake in `folder` and tell its seconds, and its peak memory beyond what the process had before."""
    lake = Lake(folder / "lake")
    before, started, facts = peak_mb(), time.perf_counter(), dict[str, object]()
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
                facts[table] = [str(one) for one in verify(connection, CONTRACTS[table], lake.settings.batch_rows)]
    seconds = round(time.perf_counter() - started, 1)
    return {"seconds": seconds, "peak_mb": peak_mb(), "beyond_start_mb": peak_mb() - before, **facts}


def main() -> None:
    """Run every step in a process of its own, print and write what each took."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1_800_000)
    parser.add_argument("--folder", type=Path, help="where to work; left as it is in the end")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(options.step, options.folder)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="stockroom-bench-"))
    bench = Bench(f"Contracts: {options.rows:,} rows held against theirs")
    try:
        bench.facts |= {"tables": TABLES, "rows": options.rows, **prepare(folder, options.rows)}
        for name in STEPS:
            bench.facts[name] = told = in_own_process(__file__, "--step", name, "--folder", folder)
            bench.add(name, told["seconds"], "s")
            bench.add(f"{name}, most memory", told["peak_mb"], "MB")
            bench.add(f"{name}, of that beyond the start", told["beyond_start_mb"], "MB")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    bench.finish(options.json)


if __name__ == "__main__":
    main()
