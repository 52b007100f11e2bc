"""Write the sample as a catalog of JSON lines and the log of a search page, with clicks for judgements."""

import gzip
import json
from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from warehouse.sample.catalog import Catalog, chunks, draw_catalog
from warehouse.sample.click_log import LANGUAGE_TAGS, write_log
from warehouse.sample.data_defects import add_product_defects
from warehouse.sample.departments import draw_prices, shelves
from warehouse.sample.descriptions import lengthen
from warehouse.sample.listings import Row, write_listings
from warehouse.sample.output_files import Progress, SampleSummary, brand_seed_for, replacing
from warehouse.sample.vocabulary.attributes import LOCALES, forms
from warehouse.sample.vocabulary.product_types import product_types

CATALOG = "catalog.jsonl.gz"
LOG = "clicks.tsv"
CATALOG_DEFECTS = {"price_missing": 0.005, "language_spelled_otherwise": 0.005}
"""Share of the products of a chunk by kind, rounded up, besides the defects of every sample."""
_CURRENCIES = {"us": ("USD", 1.0), "es": ("EUR", 0.92), "jp": ("JPY", 150.0)}
_STATED = ("size", "material", "fabric", "capacity")
"""The attributes that are fields of their own."""


def write_clicks(
    out: Path,
    products: int,
    seed: int,
    *,
    brand_seed: int | None = None,
    on_progress: Progress | None = None,
) -> SampleSummary:
    """Write the catalog and the log; the same arguments give the same bytes.

    Args:
        out: Folder of the two files; created if missing. Existing files of these names are replaced atomically.
        products: Number of distinct products over all languages, without the added duplicate and empty ids.
        seed: Determines everything except the brand names.
        brand_seed: Determines the brand names; None: a default.
        on_progress: Called with (products written, products) after every chunk.

    Raises:
        WarehouseError: `products` is below 1, or a seed is negative.
    """
    names = brand_seed_for(products, seed, brand_seed)
    out.mkdir(parents=True, exist_ok=True)
    codes = draw_catalog(products, seed)
    with replacing(out / CATALOG) as catalog_file, replacing(out / LOG) as log_file:
        rows, defects = _write_catalog(catalog_file, codes, seed, names, on_progress)
        logged, events, more = write_log(log_file, codes, seed, names)
    return SampleSummary({CATALOG: rows, LOG: logged}, events=dict(events), defects=dict(defects + more))


def _write_catalog(
    path: Path, codes: Catalog, seed: int, brand_seed: int, on_progress: Progress | None
) -> tuple[int, Counter[str]]:
    total, defects = 0, Counter[str]()
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as lines:
        for number, start, stop in chunks(len(codes)):
            part = codes.rows(start, stop)
            clean = write_listings(part, [seed, 3, number], brand_seed)
            lengthen(clean, np.random.default_rng([seed, 6, number]))
            _add_facts(clean, part, np.random.default_rng([seed, 8, number]))
            rows, planted = add_product_defects(clean, np.random.default_rng([seed, 4, number]))
            records = [_record(row) for row in rows]
            planted += _add_record_defects(records, np.random.default_rng([seed, 9, number]))
            lines.writelines(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
            total, defects = total + len(records), defects + planted
            if on_progress:
                on_progress(stop, len(codes))
    return total, defects


def _add_facts(rows: list[Row], codes: Catalog, rng: np.random.Generator) -> None:
    """Add price, category, rating and stated attributes to the rows, as text."""
    prices, stars, votes = draw_prices(codes, rng), rng.normal(4.1, 0.4, len(codes)), rng.geometric(0.02, len(codes))
    in_stock = rng.random(len(codes)) < 0.9
    for at, row in enumerate(rows):
        locale, kind = LOCALES[codes.locale[at]], product_types()[codes.type[at]]
        currency, rate = _CURRENCIES[locale]
        amount = prices[at] * rate
        row["amount"] = f"{round(amount, -1):.0f}" if currency == "JPY" else f"{amount:.2f}"
        row["currency"] = currency
        row["category"] = ">".join(shelves()[codes.type[at]].path)
        row["stars"], row["votes"] = f"{np.clip(stars[at], 1, 5):.1f}", str(votes[at])
        row["in_stock"] = "yes" if in_stock[at] else None
        for name, value in zip(kind.attributes, (codes.first[at], codes.second[at]), strict=True):
            if name in _STATED:
                row["material" if name == "fabric" else name] = forms(name, locale)[value][0]


def _record(row: Row) -> dict[str, Any]:
    """Return the JSON object of a row; what the product does not have is left out."""
    attributes = {"brand": row["product_brand"], "color": row["product_color"]}
    attributes |= {name: row.get(name) for name in ("size", "material", "capacity")}
    record: dict[str, Any] = {
        "id": row["product_id"],
        "name": row["product_title"],
        "description": row["product_description"],
        "highlights": (row["product_bullet_point"] or "").splitlines(),
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "price": {"amount": row["amount"], "currency": row["currency"]},
        "categories": (row["category"] or "").split(">"),
        "rating": {"stars": float(row["stars"] or 0), "votes": int(row["votes"] or 0)},
        "in_stock": row["in_stock"] is not None,
        "lang": LANGUAGE_TAGS[LOCALES.index(row["product_locale"] or "")],
    }
    return {name: value for name, value in record.items() if value not in (None, [])}


def _add_record_defects(records: list[dict[str, Any]], rng: np.random.Generator) -> Counter[str]:
    planted: Counter[str] = Counter()
    free = rng.permutation(len(records))
    for kind, share in CATALOG_DEFECTS.items():
        picks, free = np.split(free, [ceil(share * len(records))])
        for at in picks.tolist():
            if kind == "price_missing":
                records[at]["price"] = None
            else:
                records[at]["lang"] = records[at]["lang"].replace("-", "_").lower()
        planted[kind] += len(picks)
    return planted
