"""Wording: parts of the sentences that people read."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, or with the words that follow it: `1 row`, `2,000 rows`; `many` defaults to `one` + s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
