"""Write the sample as the export of a shop: CSV files with one row a variant, money as text, HTML, and no judgements."""

import csv
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warehouse.sample.catalog import Catalog, chunks, draw_catalog
from warehouse.sample.departments import draw_prices, shelves
from warehouse.sample.descriptions import lengthen
from warehouse.sample.listings import Dice, Row, write_listings
from warehouse.sample.output_files import Progress, SampleSummary, brand_seed_for, replacing
from warehouse.sample.vocabulary.attributes import forms
from warehouse.sample.vocabulary.product_types import product_types

PARTS = ("products.csv", "products-2.csv")
HEADER = (
    "Product Ref", "Variant SKU", "Product Title", "Body HTML", "Vendor", "Category Path", "Tags", "Size", "Color", "Price",
    "Price Before", "Weight", "Stock Count", "Image URL", "More Image URLs", "Published", "Created On",
)  # fmt: skip
SHOP_DEFECTS = {"blank_title": 0.002, "price_in_words": 0.002, "repeated_sku": 0.001}
"""Share of the rows of a chunk by kind, rounded up; a row has at most one."""
_SIZES = ("size", "capacity", "bed", "length")
"""The attributes that a shop sells as variants of one product; the title of the product does not state them."""
_ONE_LOCALE = (1.0, 0.0, 0.0)
_REFS = 10**8
_REF_STEP = 1_000_003  # a prime that does not divide `_REFS`: item number -> reference is one to one
_DRAWS = 40
_OPENED = datetime(2021, 1, 4, 8, tzinfo=UTC)
_OPEN_SECONDS = 3 * 365 * 86_400
Variant = dict[str, str]


def write_shop(
    out: Path,
    products: int,
    seed: int,
    *,
    brand_seed: int | None = None,
    on_progress: Progress | None = None,
) -> SampleSummary:
    """Write an export in two parts, with the variants of one half of the products each; the same arguments give the same bytes.

    Args:
        out: Folder of the two files; created if missing. Existing files of these names are replaced atomically.
        products: Number of products; each has 1 to 8 variants.
        seed: Determines everything except the brand names.
        brand_seed: Determines the brand names; None: a default.
        on_progress: Called with (products written, products) after every chunk.

    Raises:
        WarehouseError: `products` is below 1, or a seed is negative.
    """
    names = brand_seed_for(products, seed, brand_seed)
    out.mkdir(parents=True, exist_ok=True)
    codes = draw_catalog(products, seed, _ONE_LOCALE)
    rows, defects, first_half = dict.fromkeys(PARTS, 0), Counter[str](), ceil(products / 2)
    with ExitStack() as stack:
        paths = [stack.enter_context(replacing(out / name)) for name in PARTS]
        files = [stack.enter_context(path.open("w", encoding="utf-8-sig", newline="")) for path in paths]
        writers = [csv.DictWriter(file, HEADER) for file in files]
        for writer in writers:
            writer.writeheader()
        for number, start, stop in chunks(products):
            variants = _variants(codes.rows(start, stop), seed, number, names)
            for part, own in enumerate(
                (variants[: max(first_half - start, 0)], variants[max(first_half - start, 0) :])
            ):
                dirty, planted = _add_defects(
                    [row for each in own for row in each], np.random.default_rng([seed, 9, number, part])
                )
                writers[part].writerows(dirty)
                rows[PARTS[part]] += len(dirty)
                defects += planted
            if on_progress:
                on_progress(stop, products)
    return SampleSummary(rows, defects=dict(defects))


def _variants(codes: Catalog, seed: int, number: int, brand_seed: int) -> list[list[Variant]]:
    """Return the rows of each product, in order."""
    sized = np.array(_size_positions())[codes.type]
    listings = write_listings(
        replace(
            codes,
            color=np.full_like(codes.color, -1),
            first=np.where(sized == 0, -1, codes.first),
            second=np.where(sized == 1, -1, codes.second),
        ),
        [seed, 3, number],
        brand_seed,
    )
    lengthen(listings, np.random.default_rng([seed, 6, number]))
    rng = np.random.default_rng([seed, 8, number])
    prices = draw_prices(codes, rng).tolist()
    draws = rng.integers(2**40, size=(len(codes), _DRAWS))
    return [
        _product(codes.rows(at, at + 1), row, price, Dice(dice))
        for at, (row, price, dice) in enumerate(zip(listings, prices, draws, strict=True))
    ]


def _product(codes: Catalog, listing: Row, price: float, dice: Dice) -> list[Variant]:
    """Return the rows of one product: each of its sizes in each of its colors."""
    type_code, color = int(codes.type[0]), int(codes.color[0])
    kind, shelf, ref = product_types()[type_code], shelves()[type_code], _ref(int(codes.item[0]))
    values = (int(codes.first[0]), int(codes.second[0]))
    at = _size_positions()[type_code]
    tags = [
        forms(a, "us")[v][0] for place, (a, v) in enumerate(zip(kind.attributes, values, strict=True)) if place != at
    ]
    was = f"${np.floor(price * (1.1 + dice.below(40) / 100)) + 0.99:,.2f}" if dice.chance(0.3) else ""
    images = [f"https://images.example.com/{ref}/{image}.jpg" for image in range(1, 2 + dice.below(4))]
    shared = {
        "Product Ref": ref,
        "Product Title": listing["product_title"] or "",
        "Body HTML": _body(listing),
        "Vendor": listing["product_brand"] or "",
        "Category Path": " > ".join(shelf.path),
        "Tags": ", ".join([kind.names["us"][0], *tags, *(["sale"] if was else [])]),
        "Price": f"${price:,.2f}",
        "Price Before": was,
        "Weight": _weight(shelf.grams * (80 + dice.below(45)) // 100, dice),
        "Image URL": images[0],
        "More Image URLs": ", ".join(images[1:]),
        "Published": "false" if dice.chance(0.05) else "true",
        "Created On": f"{_OPENED + timedelta(seconds=dice.below(_OPEN_SECONDS)):%Y-%m-%d %H:%M:%S}",
    }
    colors = _options("color", color, 1 + dice.below(2)) if color >= 0 else [""]
    sizes = _options(kind.attributes[at], values[at], 1 + dice.below(4)) if at >= 0 else [""]
    return [
        shared
        | {"Variant SKU": f"{ref}{number:02d}", "Size": size, "Color": shade.capitalize()}
        | {"Stock Count": str(0 if dice.chance(0.08) else dice.below(120))}
        for number, (shade, size) in enumerate(((shade, size) for shade in colors for size in sizes), start=1)
    ]


@cache
def _size_positions() -> tuple[int, ...]:
    """Return, by type code, which of the two attributes is the size of a variant; -1: neither."""
    return tuple(
        next((at for at, name in enumerate(kind.attributes) if name in _SIZES), -1) for kind in product_types()
    )


def _options(attribute: str, value: int, count: int) -> list[str]:
    """Return some values of an attribute in the plain form, from one value on."""
    written = forms(attribute, "us")
    return [written[(value + step) % len(written)][0] for step in range(min(count, len(written)))]


def _ref(item: int) -> str:
    """Return the reference of a product: nine digits, the first of them 0."""
    return f"{item * _REF_STEP % _REFS:09d}"


def _weight(grams: int, dice: Dice) -> str:
    if dice.chance(0.15):
        return f"{grams / 453.592:.1f} lb"
    return f"{grams} g" if grams < 1_000 else f"{grams / 1_000:g} kg"


def _body(listing: Row) -> str:
    """Return description and bullet points as HTML, with line breaks and quoted attributes."""
    lead = f'<p class="lead">{listing["product_description"]}</p>\n' if listing["product_description"] else ""
    points = (listing["product_bullet_point"] or "").splitlines()
    items = "".join(f"<li>{point}</li>\n" for point in points if point.strip())
    return lead + (f'<ul class="facts">\n{items}</ul>' if items else "")


def _add_defects(rows: list[Variant], rng: np.random.Generator) -> tuple[list[Variant], Counter[str]]:
    """Add defects to some rows, append repeated ones, and count each kind."""
    planted: Counter[str] = Counter()
    free: npt.NDArray[np.int64] = rng.permutation(len(rows))
    extra: list[Variant] = []
    for kind, share in SHOP_DEFECTS.items():
        picks, free = np.split(free, [ceil(share * len(rows))])
        for at in picks.tolist():
            if kind == "blank_title":
                rows[at]["Product Title"] = ""
            elif kind == "price_in_words":
                rows[at]["Price"] = "call us"
            else:
                extra.append(rows[at] | {"Stock Count": "1"})
        planted[kind] += len(picks)
    return rows + extra, planted
