"""Write the sample as the three files of ESCI, in chunks, so that the texts need little memory."""

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE, SOURCES_FILE
from warehouse.sample.catalog import Catalog, chunks, draw_catalog, product_id
from warehouse.sample.data_defects import Judgement, add_judgement_defects, add_product_defects
from warehouse.sample.descriptions import lengthen
from warehouse.sample.listings import write_listings
from warehouse.sample.output_files import Progress, SampleSummary, brand_seed_for, replacing
from warehouse.sample.queries import Query, draw_queries
from warehouse.sample.vocabulary.attributes import LOCALES

_QUERIES_PER_CHUNK = 1_024

_EXAMPLE_SCHEMA = pa.schema(
    {
        "example_id": pa.int64(),
        "query": pa.string(),
        "query_id": pa.int64(),
        "product_id": pa.string(),
        "product_locale": pa.string(),
        "esci_label": pa.string(),
        "small_version": pa.int64(),
        "large_version": pa.int64(),
        "split": pa.string(),
    }
)
_PRODUCT_COLUMNS = ("id", "title", "description", "bullet_point", "brand", "color", "locale")
_PRODUCT_SCHEMA = pa.schema({f"product_{name}": pa.string() for name in _PRODUCT_COLUMNS})


def write_esci(
    out: Path,
    products: int,
    seed: int,
    *,
    brand_seed: int | None = None,
    on_progress: Progress | None = None,
) -> SampleSummary:
    """Write synthetic data in the form of ESCI; the same arguments give the same bytes.

    Args:
        out: Folder of the three files; created if missing. Existing files of these names are replaced atomically.
        products: Number of distinct products over all locales, without the added duplicate and empty keys.
        seed: Determines everything except the brand names.
        brand_seed: Determines the brand names; None: a default.
        on_progress: Called with (products written, products) after every chunk.

    Raises:
        WarehouseError: `products` is below 1, or a seed is negative.
    """
    names = brand_seed_for(products, seed, brand_seed)
    out.mkdir(parents=True, exist_ok=True)
    codes = draw_catalog(products, seed)
    # All three files are replaced at the end, so that a failed run leaves no mixture of old and new files.
    with (
        replacing(out / PRODUCTS_FILE) as products_file,
        replacing(out / EXAMPLES_FILE) as examples_file,
        replacing(out / SOURCES_FILE) as sources_file,
    ):
        rows, defects = _write_products(products_file, codes, seed, names, on_progress)
        judged, labels, splits, more = _write_examples(examples_file, sources_file, codes, seed, names)
    written = {PRODUCTS_FILE: rows, EXAMPLES_FILE: judged, SOURCES_FILE: sum(splits.values())}
    return SampleSummary(written, dict(sorted(labels.items())), dict(splits), defects=dict(defects + more))


def _write_products(
    path: Path, codes: Catalog, seed: int, brand_seed: int, on_progress: Progress | None
) -> tuple[int, Counter[str]]:
    total, defects = 0, Counter[str]()
    with pq.ParquetWriter(path, _PRODUCT_SCHEMA, compression="zstd", store_schema=False) as writer:
        for number, start, stop in chunks(len(codes)):
            clean = write_listings(codes.rows(start, stop), [seed, 3, number], brand_seed)
            lengthen(clean, np.random.default_rng([seed, 6, number]))
            rows, planted = add_product_defects(clean, np.random.default_rng([seed, 4, number]))
            writer.write_table(pa.Table.from_pylist(rows, schema=_PRODUCT_SCHEMA))
            total, defects = total + len(rows), defects + planted
            if on_progress:
                on_progress(stop, len(codes))
    return total, defects


def _write_examples(
    path: Path, sources: Path, codes: Catalog, seed: int, brand_seed: int
) -> tuple[int, Counter[str], Counter[str], Counter[str]]:
    total, query_id = 0, 0
    labels, splits, defects = Counter[str](), Counter[str](), Counter[str]()
    with (
        pq.ParquetWriter(path, _EXAMPLE_SCHEMA, compression="zstd", store_schema=False) as writer,
        sources.open("w", encoding="utf-8", newline="") as listing,
    ):
        listing.write("query_id,source\n")
        drawn = draw_queries(codes, seed, brand_seed)
        for number, queries in enumerate(iter(lambda: list(islice(drawn, _QUERIES_PER_CHUNK)), [])):
            clean: list[Judgement] = []
            for query in queries:
                clean += _judgements(query, query_id, codes)
                listing.write(f"{query_id},{query.source}\n")
                splits[query.split] += 1
                query_id += 1
            rows, planted = add_judgement_defects(clean, np.random.default_rng([seed, 5, number]))
            for row in rows:
                row["example_id"] = total
                total += 1
            writer.write_table(pa.Table.from_pylist(rows, schema=_EXAMPLE_SCHEMA))
            labels.update(row["esci_label"] for row in rows)
            defects += planted
    return total, labels, splits, defects


def _judgements(query: Query, query_id: int, codes: Catalog) -> list[Judgement]:
    shared: dict[str, Any] = {
        "query": query.text,
        "query_id": query_id,
        "product_locale": LOCALES[query.locale],
        "small_version": query.small,
        "large_version": 1,
        "split": query.split,
    }
    return [
        shared | {"product_id": product_id(int(codes.item[row])), "esci_label": label}
        for row, label in zip(query.rows, query.labels, strict=True)
    ]
