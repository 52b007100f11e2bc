"""The stages of a search, and the seconds that each of them took.

They are: words, locale, filter and rules of a query; encode; text and vector, which run at the same time; rank; facets.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Add up the seconds of each stage of one search; threads may time different stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began
