"""Key suggestions: existing keys that resemble a key that does not exist."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Literal

Neighbors = Callable[[str, Literal["ASC", "DESC"], int], list[str]]

_NAMED = 3
_NEIGHBORS = 4
_LOCALES = 20


def near_keys(key: str, neighbors: Neighbors) -> list[str]:
    """Return up to three keys `locale:id` that resemble `key`, the most similar first.

    Candidates are the key's neighbors in sorted order, and the same id in other locales. A few index reads find them,
    however many keys there are.

    Args:
        key: The unknown key; the locale may be missing or the case wrong.
        neighbors: Returns a number of keys at or after a key in ascending order, or before it in descending order.
    """
    locale, colon, identifier = key.rpartition(":")
    spelled = {each for name in (identifier, identifier.upper()) for each in _in_locales(name, neighbors)}
    starts = spelled | ({key} if colon else set())
    candidates = {
        each
        for start in starts
        for each in (*neighbors(start, "ASC", _NEIGHBORS), *neighbors(start, "DESC", _NEIGHBORS))
    }
    same = sorted(candidates & spelled, key=lambda each: (not each.startswith(f"{locale.lower()}:"), each))
    others = {each.casefold(): each for each in sorted(candidates - spelled)}
    similar = [others[each] for each in get_close_matches(key.casefold(), others, n=_NAMED, cutoff=0.75)]
    return [*same, *similar][:_NAMED]


def _in_locales(identifier: str, neighbors: Neighbors) -> list[str]:
    """Return the id under every locale; one index read finds the next locale."""
    keys: list[str] = []
    start = ""
    while len(keys) < _LOCALES and (first := neighbors(start, "ASC", 1)):
        locale = first[0].split(":")[0]
        keys.append(f"{locale}:{identifier}")
        start = f"{locale};"  # the character after the colon
    return keys
