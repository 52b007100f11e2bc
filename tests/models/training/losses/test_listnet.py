import math

import pytest
import torch

from models.training.losses.listnet import graded_loss

QUERY = torch.tensor([[1.0, 0.0]])


def lists(*products):
    return torch.tensor([products])


def test_equals_the_value_worked_out_by_hand():
    # cosines 1 and 0 at temperature 1, gains 1 and 0.1: shares of the target 10/11 and 1/11
    loss = graded_loss(QUERY, lists([1.0, 0.0], [0.0, 1.0]), torch.tensor([[1.0, 0.1]]), torch.ones(1, 2).bool(), 1.0)
    total = math.e + 1
    assert loss.item() == pytest.approx(
        -(10 / 11) * math.log(math.e / total) - (1 / 11) * math.log(1 / total), abs=1e-6
    )


def test_padding_changes_neither_value_nor_gradient():
    short = lists([1.0, 0.0], [0.0, 1.0]).requires_grad_()
    padded = lists([1.0, 0.0], [0.0, 1.0], [1.0, 0.0]).requires_grad_()
    loss = graded_loss(QUERY, short, torch.tensor([[1.0, 0.0]]), torch.tensor([[True, True]]), 0.1)
    same = graded_loss(QUERY, padded, torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[True, True, False]]), 0.1)
    loss.backward()
    same.backward()
    assert loss.item() == same.item()
    assert short.grad is not None
    assert padded.grad is not None
    assert torch.equal(padded.grad[:, :2], short.grad)
    assert padded.grad[:, 2].abs().sum() == 0


def test_prefers_the_better_grade_above():
    gains, judged = torch.tensor([[1.0, 0.1, 0.0]]), torch.ones(1, 3).bool()
    right = graded_loss(QUERY, lists([1.0, 0.0], [0.8, 0.6], [0.0, 1.0]), gains, judged, 0.1)
    wrong = graded_loss(QUERY, lists([0.0, 1.0], [0.8, 0.6], [1.0, 0.0]), gains, judged, 0.1)
    assert right < wrong
