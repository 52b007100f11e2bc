"""A training step: its input tensors and its loss."""

from __future__ import annotations

import dataclasses

import torch

from models.settings import TrainingSettings
from models.towers.network import TwoTower
from models.training.losses.info_nce import contrastive_loss
from models.training.losses.listnet import graded_loss
from models.training.samplers import ContrastiveBatch, GradedBatch, TowerInputs

Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Inputs of a tower: vectors, numeric and categorical features."""


@dataclasses.dataclass(frozen=True)
class ListTensors:
    """Hold a graded batch: inputs of `queries` (lists,) and `products` (lists * length,), its `gains` and `judged`."""

    queries: Inputs
    products: Inputs
    gains: torch.Tensor
    judged: torch.Tensor


@dataclasses.dataclass(frozen=True)
class StepTensors:
    """Hold a contrastive batch on the device (inputs of both sides, `target` and `masked`), and a graded batch or None."""

    queries: Inputs
    candidates: Inputs
    target: torch.Tensor
    masked: torch.Tensor
    lists: ListTensors | None


def gather(
    batch: ContrastiveBatch,
    lists: GradedBatch | None,
    queries: TowerInputs,
    products: TowerInputs,
    device: torch.device,
) -> StepTensors:
    """Copy the rows of a step to the device."""
    return StepTensors(
        queries.take(batch.queries, device),
        products.take(batch.candidates, device),
        torch.from_numpy(batch.target).to(device),
        torch.from_numpy(batch.masked).to(device),
        None if lists is None else _gather_lists(lists, queries, products, device),
    )


def _gather_lists(lists: GradedBatch, queries: TowerInputs, products: TowerInputs, device: torch.device) -> ListTensors:
    return ListTensors(
        queries.take(lists.queries, device),
        products.take(lists.products.ravel(), device),
        torch.from_numpy(lists.gains).to(device),
        torch.from_numpy(lists.judged).to(device),
    )


def step_loss(towers: TwoTower, step: StepTensors, settings: TrainingSettings) -> torch.Tensor:
    """Return the sum of the contrastive loss and the weighted graded loss."""
    loss = contrastive_loss(
        towers("query", *step.queries),
        towers("product", *step.candidates),
        step.target,
        step.masked,
        settings.temperature,
    )
    lists = step.lists
    if lists is None:
        return loss
    products = towers("product", *lists.products)
    graded = graded_loss(
        towers("query", *lists.queries),
        products.reshape(*lists.gains.shape, -1),  # (lists, length, dim)
        lists.gains,
        lists.judged,
        settings.temperature,
    )
    return loss + settings.graded_weight * graded
