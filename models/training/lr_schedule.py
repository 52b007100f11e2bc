"""The learning rate schedule."""

from __future__ import annotations

import math
from collections.abc import Callable


def warmup_cosine(warmup_share: float, steps: int) -> Callable[[int], float]:
    """Return the learning rate's factor at a step: a linear rise to 1, then half a cosine down to 0.

    The rise takes the share `warmup_share` (0 to 1) of `steps`. Source: Loshchilov and Hutter, 2017, arXiv 1608.03983, one cycle.
    """
    warmup = max(1, round(warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return factor
