"""The contrastive loss: pull a query toward its Exact products and away from the others of its batch."""

from __future__ import annotations

import torch
from torch.nn import functional


def contrastive_loss(
    queries: torch.Tensor,
    candidates: torch.Tensor,
    target: torch.Tensor,
    masked: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Return InfoNCE over cosines: the mean of -log softmax(cosine / temperature) at each query's own product.

    `queries` (batch, dim) and `candidates` (products, dim) have length 1. `target` (batch,) is the column of each
    query's positive; where `masked` (batch, products) is true, the product is known to be relevant and not a negative.
    The target itself is never masked. Source: van den Oord et al., 2018, arXiv 1807.03748, equation 4.
    """
    scores = queries @ candidates.T / temperature  # (batch, products)
    return functional.cross_entropy(scores.masked_fill(masked, -torch.inf), target)
