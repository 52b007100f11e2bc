"""The graded loss: order the judged products of a query by their grade."""

from __future__ import annotations

import torch


def graded_loss(
    queries: torch.Tensor, products: torch.Tensor, gains: torch.Tensor, judged: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return the mean listwise cross entropy between the shares of gain and softmax(cosine / temperature).

    `queries` (lists, dim) and `products` (lists, length, dim) have length 1, `gains` (lists, length) are 0 or more
    with at least one above 0 in every list, `judged` (lists, length) is false for padding.
    Source: ListNet, top-one probability (Cao et al., 2007, ICML), with shares of gain as the target.
    """
    scores = torch.einsum("ld,lpd->lp", queries, products) / temperature  # (lists, length)
    shares = torch.log_softmax(scores.masked_fill(~judged, -torch.inf), dim=1).masked_fill(~judged, 0.0)
    gains = gains * judged
    return -(gains / gains.sum(dim=1, keepdim=True) * shares).sum(dim=1).mean()
