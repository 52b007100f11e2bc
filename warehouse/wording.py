"""Wording: parts of the sentences that people read."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, or with the words that follow it: `1 row`, `2,000 rows`; `many` defaults to `one` + s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def named(keys: Sequence[str], most: int = 5) -> str:
    """Return the first keys, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(keys) - most:,} more" if len(keys) > most else ""
    return f"{', '.join(keys[:most])}{more}"


def names_in(given: Sequence[str]) -> list[str]:
    """Return the names of an option that may be repeated, and may have several names with commas."""
    return [name.strip() for names in given for name in names.split(",") if name.strip()]
