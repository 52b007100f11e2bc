"""The sample's queries and judgements.

A query names a product type and one to three of its queryable fields. Labels follow from the codes alone:

- E: the type, with every requested field equal;
- S: the type, with exactly one requested field different;
- C: an accessory of the type that fits the requested maker, or every maker;
- I: another type that is neither an accessory of it nor its host.

Products of the type with two or more different fields are not judged. Every E product is judged; S, C and I are sampled.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warehouse.sample.catalog import Catalog
from warehouse.sample.vocabulary.attributes import LOCALES, forms
from warehouse.sample.vocabulary.brands import brand_name
from warehouse.sample.vocabulary.phrases import PHRASES
from warehouse.sample.vocabulary.product_types import product_types

QUERYABLE_FIELDS = ("maker", "color", "first", "second")
MAX_EXACT = 10
_PRODUCTS_PER_QUERY = 6.5
# The fields that a query requests, with the share of such draws; broad queries suit only small shelves.
_ASKS = {
    "1000": 0.12, "0100": 0.07, "0010": 0.07, "0001": 0.07, "1100": 0.06, "1010": 0.06, "1001": 0.06,
    "0110": 0.14, "0101": 0.14, "0011": 0.14, "0111": 0.05, "1011": 0.02,
}  # fmt: skip
_MASKS = np.array([[bit == "1" for bit in bits] for bits in _ASKS])
_MASK_SHARES = np.array(list(_ASKS.values()))
_TEST_SHARE = 0.2
_LARGE_ONLY_SHARE = 0.2
_SOURCES = ("other", "negations", "parse_pattern", "behavioral", "nlqec")
_SOURCE_SHARES = (0.85, 0.06, 0.05, 0.03, 0.01)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Query:
    """Hold a query, its requested codes (in the order of `QUERYABLE_FIELDS`, -1 for none) and its judged rows of the catalog."""

    text: str
    locale: int
    type: int
    field_codes: tuple[int, int, int, int]
    split: str
    small: int
    source: str
    rows: tuple[int, ...]
    labels: str


def split_of(type_code: int, field_codes: tuple[int, ...], seed: int) -> str:
    """Assign a combination of type and requested values to train or test, whatever its wording and locale."""
    digest = hashlib.md5(repr((seed, type_code, field_codes)).encode(), usedforsecurity=False).digest()
    return "test" if int.from_bytes(digest[:4], "big") < _TEST_SHARE * 2**32 else "train"


def draw_queries(codes: Catalog, seed: int, brand_seed: int) -> Iterator[Query]:
    """Draw the queries of each locale and type in turn; texts are unique in a locale."""
    group = codes.locale * len(product_types()) + codes.type
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(LOCALES) * len(product_types()) + 1))
    by_brand = np.lexsort((codes.brand, codes.locale))
    shelves = _Shelves(codes, order, starts, by_brand)
    for locale in range(len(LOCALES)):
        texts: set[str] = set()
        for type_code in range(len(product_types())):
            yield from _draw_group(shelves, locale, type_code, texts, seed, brand_seed)


class _Shelves:
    """Find rows by locale and type, and by locale and brand, without a Python object per product."""

    def __init__(self, codes: Catalog, order: Ints, starts: Ints, by_brand: Ints) -> None:
        self.codes = codes
        self._order, self._starts, self._by_brand = order, starts, by_brand
        self._brand_keys = codes.locale[by_brand].astype(np.int64) << 32 | (codes.brand[by_brand] + 1)

    def of_type(self, locale: int, type_code: int) -> Ints:
        at = locale * len(product_types()) + type_code
        return self._order[self._starts[at] : self._starts[at + 1]]

    def of_brand(self, locale: int, brand: int) -> Ints:
        key = (locale << 32) | (brand + 1)
        start, stop = np.searchsorted(self._brand_keys, [key, key + 1])
        return self._by_brand[start:stop]

    def of_locale(self, locale: int) -> Ints:
        start, stop = self._starts[[locale * len(product_types()), (locale + 1) * len(product_types())]]
        return self._order[start:stop]


def _draw_group(
    shelves: _Shelves, locale: int, type_code: int, texts: set[str], seed: int, brand_seed: int
) -> Iterator[Query]:
    rng = np.random.default_rng([seed, 2, locale, type_code])
    shelf = shelves.of_type(locale, type_code)
    query_count = int(rng.poisson(len(shelf) / _PRODUCTS_PER_QUERY))
    if not len(shelf) or not query_count:
        return
    values = np.stack([getattr(shelves.codes, name)[shelf] for name in QUERYABLE_FIELDS], axis=1)  # (shelf, 4)
    drawn_count = 0
    for _ in range(6 * query_count):
        if drawn_count == query_count:
            return
        target = values[rng.integers(len(shelf))]
        mask = _MASKS[rng.choice(len(_MASKS), p=_MASK_SHARES)] & (target >= 0)
        if not mask.any():
            continue
        off = (values[:, mask] != target[mask]).sum(axis=1)
        exact = shelf[off == 0]
        # Queries with several exact products are accepted more often: they yield most of the E labels.
        if len(exact) > MAX_EXACT or rng.random() > 0.15 + 0.15 * len(exact):
            continue
        field_codes = tuple(np.where(mask, target, -1).tolist())
        text = _wording(locale, type_code, field_codes, rng, brand_seed)
        if text.casefold() in texts:
            continue
        texts.add(text.casefold())
        drawn_count += 1
        small = int(rng.random() >= _LARGE_ONLY_SHARE)
        rows, labels = _draw_judgements(shelves, locale, type_code, field_codes, exact, shelf[off == 1], small, rng)
        source = _SOURCES[rng.choice(len(_SOURCES), p=_SOURCE_SHARES)]
        yield Query(
            text, locale, type_code, field_codes, split_of(type_code, field_codes, seed), small, source, rows, labels
        )


def _draw_judgements(
    shelves: _Shelves,
    locale: int,
    type_code: int,
    field_codes: tuple[int, ...],
    exact: Ints,
    near: Ints,
    small: int,
    rng: np.random.Generator,
) -> tuple[tuple[int, ...], str]:
    """Draw the judged products besides the exact ones, in the label mix of the small or the large version of ESCI."""
    types = product_types()
    length = int(np.clip(len(exact) / (0.46 if small else 0.75) * rng.uniform(0.8, 1.25), 8 if small else 5, 22))
    rest = max(length - len(exact), 1)
    accessories = [at for at, kind in enumerate(types) if kind.accessory_of == type_code]
    complements = np.concatenate([np.empty(0, dtype=np.int64), *(shelves.of_type(locale, at) for at in accessories)])
    if field_codes[0] >= 0:
        complements = complements[np.isin(shelves.codes.maker[complements], (-1, field_codes[0]))]
    c_count = min(len(complements), int(rng.poisson(0.28 * rest)))
    i_count = int(rng.poisson(0.30 * rest))
    s_count = min(len(near), max(rest - c_count - i_count, 0))

    kin = {type_code, types[type_code].accessory_of, *accessories}
    pool = rng.choice(shelves.of_locale(locale), size=3 * i_count + 6)
    if field_codes[0] >= 0:  # the maker's other products are typical wrong results
        pool = np.concatenate([shelves.of_brand(locale, field_codes[0])[: i_count // 2 + 8], pool])
    others = [row for row in dict.fromkeys(pool.tolist()) if shelves.codes.type[row] not in kin][:i_count]

    substitutes = rng.choice(near, size=s_count, replace=False).tolist() if s_count else []
    drawn_complements = rng.choice(complements, size=c_count, replace=False).tolist() if c_count else []
    rows = [*exact.tolist(), *substitutes, *drawn_complements, *others]
    labels = "E" * len(exact) + "S" * len(substitutes) + "C" * len(drawn_complements) + "I" * len(others)
    shuffled = rng.permutation(len(rows)).tolist()
    return tuple(rows[at] for at in shuffled), "".join(labels[at] for at in shuffled)


def _wording(
    locale_code: int, type_code: int, field_codes: tuple[int, ...], rng: np.random.Generator, brand_seed: int
) -> str:
    """Return the query's text as a shopper would write it: mostly the plain word, sometimes a synonym."""
    locale = LOCALES[locale_code]
    kind, phrases = product_types()[type_code], PHRASES[locale]

    def say(options: tuple[str, ...]) -> str:
        return options[0] if rng.random() < 0.7 else options[rng.integers(len(options))]

    name = say(kind.names[locale])
    maker, color, first, second = field_codes
    facts = [say(forms("color", locale)[color])] if color >= 0 else []
    facts += [say(forms(a, locale)[v]) for a, v in zip(kind.attributes, (first, second), strict=True) if v >= 0]
    if maker >= 0 and kind.accessory_of >= 0:
        fits = f"{brand_name(maker, brand_seed)} {product_types()[kind.accessory_of].names[locale][0]}"
        name = phrases.accessory_wish.format(type=name, fits=fits)
    elif maker >= 0:
        facts.append(brand_name(maker, brand_seed))
    facts = [facts[at] for at in rng.permutation(len(facts))]
    split = int(rng.integers(len(facts) + 1))
    head = " ".join([*facts[:split], name]) if locale != "es" else " ".join([name, *facts[:split]])
    tail = " ".join(facts[split:])
    wish = phrases.wishes[rng.integers(len(phrases.wishes))].format(head=head, tail=tail)
    return " ".join(wish.lower().split())
