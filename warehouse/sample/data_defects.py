"""Data defects as in real catalogs, added on purpose and counted.

Each kind of defect affects a fixed share of a batch, rounded up, and each row has at most one defect. So tests can count the
defects in the files. Cleaning restores the facts of a product, so that the labels stay correct.
"""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from math import ceil
from typing import Any

import numpy as np

from warehouse.sample.listings import Row

Judgement = dict[str, Any]

PRODUCT_DEFECTS = {
    "html_tags": 0.005,
    "html_entities": 0.005,
    "odd_white_space": 0.005,
    "full_width": 0.003,
    "blank_text": 0.005,
    "brand_case": 0.005,
    "brand_in_title_only": 0.005,
    "duplicate_key_exact": 0.001,
    "duplicate_key_differing": 0.001,
    "empty_product_id": 0.001,
}
JUDGEMENT_DEFECTS = {
    "unknown_label": 0.001,
    "judgement_without_product": 0.002,
    "judgement_empty_product_id": 0.001,
    "duplicate_judgement": 0.002,
}
UNBRANDED = "missing_brand"
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}


def add_product_defects(rows: list[Row], rng: np.random.Generator) -> tuple[list[Row], Counter[str]]:
    """Add defects to some rows in place, append extra rows, and count each kind; rows without a brand count as a kind."""
    planted = Counter({UNBRANDED: sum(row["product_brand"] is None for row in rows)})
    free = rng.permutation(len(rows)).tolist()
    extra: list[Row] = []
    for kind, share in PRODUCT_DEFECTS.items():
        is_suitable = _SUITABLE.get(kind, _any)
        picks = list(islice((at for at in free if is_suitable(rows[at])), ceil(share * len(rows))))
        picked = set(picks)
        free = [at for at in free if at not in picked]
        for number, at in enumerate(picks):
            if kind in _CHANGES:
                _CHANGES[kind](rows[at], number)
            else:
                extra.append(_EXTRA[kind](rows[at]))
        planted[kind] += len(picks)
    return rows + extra, planted


def add_judgement_defects(rows: list[Judgement], rng: np.random.Generator) -> tuple[list[Judgement], Counter[str]]:
    """Add defects to some judgements that are not Exact, append extra ones, and count each kind."""
    planted: Counter[str] = Counter()
    free = [at for at in rng.permutation(len(rows)).tolist() if rows[at]["esci_label"] != "E"]
    extra: list[Judgement] = []
    for kind, share in JUDGEMENT_DEFECTS.items():
        picks, free = free[: ceil(share * len(rows))], free[ceil(share * len(rows)) :]
        for number, at in enumerate(picks):
            if kind == "unknown_label":
                rows[at]["esci_label"] = ("X", "", "exact")[number % 3]
            elif kind == "judgement_without_product":
                # No id of the catalog has a Z in second place.
                extra.append(rows[at] | {"product_id": f"BZ{rng.integers(10**8):08d}", "esci_label": "I"})
            elif kind == "judgement_empty_product_id":
                extra.append(rows[at] | {"product_id": ""})
            else:
                extra.append(dict(rows[at]))
        planted[kind] += len(picks)
    return rows + extra, planted


def _text(row: Row, column: str) -> str:
    return row[column] or ""


def _any(row: Row) -> bool:
    return True


def _tags(row: Row, number: int) -> None:
    first, _, rest = _text(row, "product_title").partition(" ")
    row["product_title"] = f"<b>{first}</b> {rest}" if number % 2 else f'<span class="t">{first} {rest}</span><br/>'


def _entities(row: Row, number: int) -> None:
    title = _text(row, "product_title")
    row["product_title"] = title.replace(", ", " &amp; ", 1) if number % 2 else f"{title}, that&#39;s it"


def _white_space(row: Row, number: int) -> None:
    space = ("\u00a0", "  ", "\t", " \u200b", "\u3000")[number % 5]
    row["product_title"] = _text(row, "product_title").replace(" ", space, 2)


def _full_width(row: Row, number: int) -> None:
    row["product_title"] = _text(row, "product_title").translate(_FULL_WIDTH)


def _blank(row: Row, number: int) -> None:
    row["product_description"] = ("", "   ", "\u00a0")[number % 3]
    if row["product_color"] is None:
        row["product_color"] = ("", " ")[number % 2]


def _brand_case(row: Row, number: int) -> None:
    brand = _text(row, "product_brand")
    row["product_brand"] = brand.upper() if number % 2 else brand.lower()


def _brand_in_title_only(row: Row, number: int) -> None:
    row["product_brand"] = None


_CHANGES: dict[str, Callable[[Row, int], None]] = {
    "html_tags": _tags,
    "html_entities": _entities,
    "odd_white_space": _white_space,
    "full_width": _full_width,
    "blank_text": _blank,
    "brand_case": _brand_case,
    "brand_in_title_only": _brand_in_title_only,
}
_EXTRA: dict[str, Callable[[Row], Row]] = {
    "duplicate_key_exact": dict,
    "duplicate_key_differing": lambda row: row | {"product_title": f"{row['product_title']}, {row['product_id']}"},
    "empty_product_id": lambda row: row | {"product_id": ""},
}
_SUITABLE: dict[str, Callable[[Row], bool]] = {
    "html_entities": lambda row: ", " in _text(row, "product_title"),
    "brand_case": lambda row: row["product_brand"] is not None,
    "brand_in_title_only": lambda row: (
        row["product_brand"] is not None and _text(row, "product_brand") in _text(row, "product_title")
    ),
}
