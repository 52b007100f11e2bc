"""The files of a sample: counted, replaced as a whole, and made from arguments that are possible."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.errors import WarehouseError
from warehouse.wording import counted

Progress = Callable[[int, int], None]
"""Called with (products written, products) after every chunk."""
DEFAULT_BRAND_SEED = 1


@dataclass(frozen=True)
class SampleSummary:
    """Count the written rows by file; the other counts are empty where a kind of sample lacks them."""

    rows: dict[str, int]
    labels: dict[str, int] = field(default_factory=dict)
    """Judgements by label."""
    queries: dict[str, int] = field(default_factory=dict)
    """Queries by split."""
    events: dict[str, int] = field(default_factory=dict)
    """Products of a click log that were shown, clicked, added to a cart and ordered."""
    defects: dict[str, int] = field(default_factory=dict, repr=False)
    """Added defects by kind."""


def brand_seed_for(products: int, seed: int, brand_seed: int | None) -> int:
    """Return the seed of the brand names once the arguments of a sample are checked.

    Raises:
        WarehouseError: `products` is below 1, or a seed is negative.
    """
    if products < 1:
        raise WarehouseError(f"a sample of {counted(products, 'product')} cannot be made", "give at least 1 product")
    if seed < 0 or (brand_seed or 0) < 0:
        raise WarehouseError("a seed cannot be negative", "use 0 or more for seed and brand_seed")
    return DEFAULT_BRAND_SEED if brand_seed is None else brand_seed


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces the real one on success, so that no reader sees a partial file."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
