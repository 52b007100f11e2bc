"""The catalog as integer codes: the type, brand and attributes of each product.

The codes are drawn in chunks, each with its own seed. Only the codes of the whole catalog are in memory, 36 bytes per
product. The texts are made from the codes later, one chunk at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from warehouse.sample.vocabulary.attributes import LOCALES, value_count
from warehouse.sample.vocabulary.product_types import product_types

CHUNK_ROWS = 16_384
_PRODUCTS_PER_BRAND = 60
_TYPES_PER_BRAND = 5
LOCALE_SHARES = (0.70, 0.15, 0.15)
_SHARED_SHARE = 0.4
"""Share of the es and jp products with the id of a us product: the same item, sold in two locales."""
_UNBRANDED_SHARE = 0.005
_UNIVERSAL_SHARE = 0.3
"""Share of the accessories that fit every maker."""
_ITEM_STEP = 1_000_003  # a prime: item number -> id is one to one and looks unsorted

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Catalog:
    """Hold arrays with one code per product; -1 means that the product has none.

    `maker` is the brand, or for an accessory the brand that it fits. `first` and `second` are the values of the type's two
    attributes. Queries may name `maker`, `color`, `first` and `second`. `item` determines the product id, which several
    locales may share.
    """

    item: Codes
    locale: Codes
    type: Codes
    brand: Codes
    maker: Codes
    color: Codes
    first: Codes
    second: Codes
    family: Codes

    def __len__(self) -> int:
        """Return the number of products."""
        return len(self.item)

    def rows(self, start: int, stop: int) -> "Catalog":
        """Return the products from `start` to before `stop`."""
        return Catalog(*(getattr(self, field.name)[start:stop] for field in fields(self)))


def product_id(item: int) -> str:
    """Return the product id of an item: ten characters, as in ESCI."""
    return "B0" + np.base_repr(item * _ITEM_STEP % 36**8, 36).rjust(8, "0")


def brand_count(products: int) -> int:
    """Return the number of brands: proportional to the products, so that a brand always has about as many products."""
    return max(24, products // _PRODUCTS_PER_BRAND)


def chunks(products: int) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each chunk, its first row, and the row after its last."""
    for number, start in enumerate(range(0, products, CHUNK_ROWS)):
        yield number, start, min(start + CHUNK_ROWS, products)


def draw_catalog(products: int, seed: int, locale_shares: tuple[float, ...] = LOCALE_SHARES) -> Catalog:
    """Draw the codes of all products; the shares are those of `LOCALES`."""
    brands = brand_count(products)
    parts = [
        _draw_chunk(stop - start, start, brands, locale_shares, [seed, 1, number])
        for number, start, stop in chunks(products)
    ]
    return Catalog(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Catalog)))


def _draw_chunk(size: int, start: int, brands: int, locale_shares: tuple[float, ...], seed: list[int]) -> Catalog:
    """Draw families (products with the same type, brand and one attribute), then their members, then the locales."""
    rng = np.random.default_rng(seed)
    types = product_types()
    family = np.repeat(np.arange(size), rng.integers(1, 6, size))[:size]
    type_ = rng.integers(len(types), size=size)[family]
    window = max(8, brands * _TYPES_PER_BRAND // len(types))

    def brand_of(type_codes: npt.NDArray[np.int64], draws: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        # A type is sold by a range of consecutive brands, mostly by the first ones, so that a brand sells a handful of types.
        return (type_codes * brands // len(types) + (draws**1.5 * window).astype(np.int64)) % brands

    brand = brand_of(type_, rng.random(size)[family])
    main = np.array([t.accessory_of for t in types])[type_]
    universal = rng.random(size)[family] < _UNIVERSAL_SHARE
    fits = np.where(universal, -1, brand_of(np.maximum(main, 0), rng.random(size)[family]))
    brand = np.where((rng.random(size) < _UNBRANDED_SHARE) & (main < 0), -1, brand)
    colored = np.array([t.colored for t in types])[type_]
    color = np.where(colored, (rng.random(size) ** 1.5 * value_count("color")).astype(np.int64), -1)
    counts = np.array([[value_count(name) for name in t.attributes] for t in types])[type_]  # (size, 2)
    first = (rng.random(size) * counts[:, 0]).astype(np.int64)
    second = (rng.random(size)[family] * counts[:, 1]).astype(np.int64)

    locale = rng.choice(len(LOCALES), p=locale_shares, size=size)
    source = np.arange(size)
    at_home = np.flatnonzero(locale == 0)
    for code in range(1, len(LOCALES)):
        abroad = np.flatnonzero(locale == code)
        sharing = min(int(len(abroad) * _SHARED_SHARE), len(at_home))
        source[abroad[:sharing]] = rng.choice(at_home, size=sharing, replace=False)

    maker = np.where(main < 0, brand, fits)
    facts = [column[source] for column in (type_, brand, maker, color, first, second)]
    columns = [source + start, locale, *facts, family[source] + start]
    return Catalog(*[column.astype(np.int32) for column in columns])
