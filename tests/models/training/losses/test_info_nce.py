import math

import numpy as np
import pytest
import torch

from models.training.losses.info_nce import contrastive_loss

NOTHING = torch.zeros((1, 3), dtype=torch.bool)
QUERY = torch.tensor([[1.0, 0.0]])
CANDIDATES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])


def test_equals_the_value_worked_out_by_hand():
    # cosines 1, 0, 0.6 at temperature 0.5: scores 2, 0, 1.2
    loss = contrastive_loss(QUERY, CANDIDATES, torch.tensor([0]), NOTHING, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 1 + math.exp(1.2)) - 2, abs=1e-6)


def test_a_masked_candidate_is_as_if_it_were_not_there():
    masked = torch.tensor([[False, False, True]])
    loss = contrastive_loss(QUERY, CANDIDATES, torch.tensor([0]), masked, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(math.exp(2) + 1) - 2, abs=1e-6)


def test_a_masked_candidate_gets_no_gradient():
    candidates = CANDIDATES.clone().requires_grad_()
    masked = torch.tensor([[False, False, True]])
    contrastive_loss(QUERY, candidates, torch.tensor([0]), masked, temperature=0.5).backward()
    assert candidates.grad is not None
    assert candidates.grad[2].tolist() == [0.0, 0.0]
    assert candidates.grad[1].abs().sum() > 0


def test_agrees_with_a_numpy_reference_on_many_pairs():
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(5, 8)), rng.normal(size=(9, 8))
    target, masked = np.array([0, 3, 3, 8, 1]), rng.random((5, 9)) < 0.3
    masked[np.arange(5), target] = False
    expected = []
    for row in range(5):
        scores = np.exp([queries[row] @ candidates[c] / 0.7 for c in range(9) if not masked[row, c]])
        expected.append(-math.log(math.exp(queries[row] @ candidates[target[row]] / 0.7) / scores.sum()))
    loss = contrastive_loss(*(torch.tensor(array) for array in (queries, candidates, target, masked)), temperature=0.7)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-9)
