"""Invented brand names, computed from a number and a seed."""

from functools import lru_cache

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words("""
    Zor Vel Kax Bru Tro Quen Mip Dav Fyl Glon Hesk Jov Lurn Nax Osk Pim Rud Skel Tw Ulm Wend Yar Cof Drex Elv Fram
    Grix Ib Klo Morv
""")
_MIDDLE = _words("""
    a e i o u an el ir om ub ast eck ill orb unt aff emp isk ov uz
""")
_LAST = _words("""
    bo dex fi gar lo mont nia pex qua ro sum tek vo wick xa yo zen dale kin lux mar nor pel rik sten tas van wen zu
    hart
""")
NAMES = len(_FIRST) * len(_MIDDLE) * len(_LAST)
_STRIDE = 7_919  # a prime that divides no list's length, so that number -> name is one to one


@lru_cache(maxsize=4)
def _shift(brand_seed: int) -> int:
    return int(np.random.default_rng([brand_seed, 0xB2A2D]).integers(NAMES))


@lru_cache(maxsize=65_536)
def brand_name(brand: int, brand_seed: int) -> str:
    """Return the name of a brand. Brands below `NAMES` have distinct names; the others have a number appended."""
    at = (brand * _STRIDE + _shift(brand_seed)) % NAMES
    first, rest = divmod(at, len(_MIDDLE) * len(_LAST))
    middle, last = divmod(rest, len(_LAST))
    name = _FIRST[first] + _MIDDLE[middle] + _LAST[last]
    return name if brand < NAMES else f"{name} {brand // NAMES + 1}"
