import pytest

from models.training.lr_schedule import warmup_cosine


def test_rises_linearly_then_falls_along_half_a_cosine():
    factor = warmup_cosine(0.4, 10)
    assert [factor(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert factor(4) == pytest.approx(1.0)
    assert factor(7) == pytest.approx(0.5)
    assert factor(10) == pytest.approx(0.0)


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_stays_within_0_and_1_at_the_edges(share, steps):
    assert all(0 <= warmup_cosine(share, steps)(step) <= 1 for step in range(steps + 1))
