"""The two towers: small residual networks on top of frozen vectors, initialized as the identity.

Training computes their forward pass here. Searches and vector tables compute it in NumPy: `numpy_inference.py`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from models.settings import TowerSettings

Side = Literal["query", "product"]


@dataclasses.dataclass(frozen=True)
class FeatureSizes:
    """Hold the widths of a side's features: numeric columns, and the vocabulary size of each categorical one."""

    numeric: int = 0
    vocabularies: tuple[int, ...] = ()


class FeatureBranch(nn.Module):
    """Map one side's features to the hidden width: a dense layer, a layer norm, and gates that start closed."""

    def __init__(self, sizes: FeatureSizes, settings: TowerSettings) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(
            nn.Embedding(vocabulary, settings.embedding_width) for vocabulary in sizes.vocabularies
        )
        inputs = sizes.numeric + len(sizes.vocabularies) * settings.embedding_width
        self.dense = nn.Linear(inputs, settings.width) if inputs else None
        self.norm = nn.LayerNorm(settings.width) if inputs else None
        self.gate = nn.Parameter(torch.zeros(settings.width)) if inputs else None

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor | float:
        """Map numeric (rows, numeric) and categorical (rows, columns) to (rows, width); 0 for a side without features."""
        if self.dense is None or self.norm is None:
            return 0.0
        embedded = [table(categorical[:, column]) for column, table in enumerate(self.embeddings)]
        features = self.norm(self.dense(torch.cat([numeric, *embedded], dim=1)))  # (rows, width)
        gated: torch.Tensor = self.gate * features
        return gated


class Trunk(nn.Module):
    """Map a vector and the hidden part of its features to a change of the vector, initially zero.

    The vector is normed once, on entry, to a mean square of 1 (RMSNorm; Zhang and Sennrich, 2019, arXiv 1910.07467): a
    constant factor, as its length is 1. There is no other norm inside, so that an export can represent the trunk by dense
    layers alone.
    """

    def __init__(self, dim: int, settings: TowerSettings) -> None:
        super().__init__()
        widths = [dim] + [settings.width] * settings.layers
        self.scale = math.sqrt(dim)
        self.dense = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.input_dropout = nn.Dropout(settings.input_dropout)
        self.dropout = nn.Dropout(settings.dropout)
        self.last = nn.Linear(settings.width, dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: torch.Tensor, features: torch.Tensor | float) -> torch.Tensor:
        """Map x (rows, dim) of length 1 and features (rows, width) to a change (rows, dim)."""
        hidden = self.input_dropout(self.scale * x)
        for position, dense in enumerate(self.dense):
            hidden = dense(hidden)
            if position == 0:
                hidden = hidden + features
            hidden = self.dropout(functional.silu(hidden))  # (rows, width)
        change: torch.Tensor = self.last(hidden)
        return change


class TwoTower(nn.Module):
    """Hold both towers: `normalize(x + alpha * f(x, features))` on each side.

    `alpha` scales the learned change: 0 is the encoder itself. It is 1 during training and may be set afterwards.
    """

    def __init__(
        self, dim: int, query_sizes: FeatureSizes, product_sizes: FeatureSizes, settings: TowerSettings
    ) -> None:
        super().__init__()
        self.dim = dim
        self.settings = settings
        self.alpha = 1.0
        sizes = {"query": query_sizes, "product": product_sizes}
        if settings.mode == "query_only":
            del sizes["product"]
        self.branches = nn.ModuleDict({side: FeatureBranch(size, settings) for side, size in sizes.items()})
        names = ["shared"] if settings.mode == "tied" else list(sizes)
        self.trunks = nn.ModuleDict({name: Trunk(dim, settings) for name in names})

    def forward(self, side: Side, x: torch.Tensor, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Map one side's vectors x (rows, dim) and features to vectors (rows, dim) of length 1."""
        return apply_change(x, self.change(side, x, numeric, categorical), self.alpha)

    def change(self, side: Side, x: torch.Tensor, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return f(x, features) (rows, dim), before alpha; zeros for a side that does not learn."""
        if side not in self.branches:
            return torch.zeros_like(x)
        trunk = self.trunks["shared" if self.settings.mode == "tied" else side]
        change: torch.Tensor = trunk(functional.normalize(x, dim=1), self.branches[side](numeric, categorical))
        return change


def apply_change(x: torch.Tensor, change: torch.Tensor, alpha: float) -> torch.Tensor:
    """Return `normalize(normalize(x) + alpha * change)`; all are (rows, dim). At alpha 0 the change is ignored, even NaN."""
    length_1 = functional.normalize(x, dim=1)
    return functional.normalize(length_1 + alpha * change if alpha else length_1, dim=1)
