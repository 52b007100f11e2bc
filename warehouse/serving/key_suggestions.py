"""Near keys: what a person may have meant by a key that is not there."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Literal

Beside = Callable[[str, Literal["ASC", "DESC"], int], list[str]]

_NAMED = 3
_NEIGHBOURS = 4
_LOCALES = 20


def near_keys(key: str, beside: Beside) -> list[str]:
    """Return up to three keys `locale:id` that look like `key`, the most alike first.

    Candidates are those that stand beside it in sorted order, in its own locale and, the id being the same, in the others;
    a few index reads find them, however many keys there are.

    Args:
        key: The key that is not there; it may lack the locale or be written in the wrong case.
        beside: Returns so many keys at or after a key in ascending order, or before it in descending order.
    """
    locale, colon, identifier = key.rpartition(":")
    spelt = {each for name in (identifier, identifier.upper()) for each in _in_locales(name, beside)}
    starts = spelt | ({key} if colon else set())
    found = {
        each for start in starts for each in (*beside(start, "ASC", _NEIGHBOURS), *beside(start, "DESC", _NEIGHBOURS))
    }
    same = sorted(found & spelt, key=lambda each: (not each.startswith(f"{locale.lower()}:"), each))
    others = {each.casefold(): each for each in sorted(found - spelt)}
    alike = [others[each] for each in get_close_matches(key.casefold(), others, n=_NAMED, cutoff=0.75)]
    return [*same, *alike][:_NAMED]


def _in_locales(identifier: str, beside: Beside) -> list[str]:
    """Return the id under every locale that there is, found by jumping from one to the next."""
    keys: list[str] = []
    start = ""
    while len(keys) < _LOCALES and (first := beside(start, "ASC", 1)):
        locale = first[0].split(":")[0]
        keys.append(f"{locale}:{identifier}")
        start = f"{locale};"  # the character after the colon
    return keys
