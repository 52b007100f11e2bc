import numpy as np
import pytest

from models.errors import ModelError
from models.evaluation.bootstrap import Interval, paired_bootstrap


def test_a_constant_difference_has_no_width():
    interval = paired_bootstrap([0.5, 0.75, 1.0], [0.25, 0.5, 0.75], seed=0)
    assert interval == Interval(0.25, 0.25, 0.25)


def test_the_sign_is_that_of_the_first_minus_the_second():
    better, worse = np.linspace(0.4, 0.9, 50), np.linspace(0.1, 0.3, 50)
    gain, loss = (paired_bootstrap(*pair, seed=1) for pair in ((better, worse), (worse, better)))
    assert 0 < gain.low < gain.mean < gain.high
    assert gain.mean == pytest.approx(0.45)
    assert (loss.low, loss.mean, loss.high) == pytest.approx((-gain.high, -gain.mean, -gain.low))


def test_pairs_stay_together():
    hard_or_easy = np.tile([0.0, 1.0], 500)
    difference = np.tile([0.01, 0.01, 0.02, 0.02], 250)
    interval = paired_bootstrap(hard_or_easy + difference, hard_or_easy, seed=2)
    assert interval.high - interval.low < 0.002  # unpaired it would be about 0.09


def test_a_pair_with_a_missing_half_is_left_out():
    interval = paired_bootstrap([1.0, np.nan, 5.0, 0.0], [0.0, 0.0, np.nan, 1.0], seed=3)
    assert (interval.mean, interval.low, interval.high) == (0.0, -1.0, 1.0)


def test_the_interval_is_that_of_the_normal_distribution_for_many_queries():
    sample = np.random.default_rng(4).normal(0.1, 1.0, 2000)
    interval = paired_bootstrap(sample, np.zeros(2000), samples=4000, seed=4)
    half = 1.96 * sample.std() / np.sqrt(2000)
    assert (interval.low, interval.high) == pytest.approx((sample.mean() - half, sample.mean() + half), abs=0.005)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(5)
    covered = 0
    for trial in range(300):
        interval = paired_bootstrap(random.exponential(1.0, 80), np.ones(80), samples=300, seed=trial, level=0.8)
        covered += interval.low <= 0 <= interval.high
    assert 0.7 < covered / 300 < 0.88


def test_a_seed_repeats_itself_and_chunks_do_not_show(monkeypatch):
    a, b = np.random.default_rng(6).normal(size=(2, 100))
    whole = paired_bootstrap(a, b, seed=7)
    assert whole == paired_bootstrap(a, b, seed=7)
    assert whole != paired_bootstrap(a, b, seed=8)
    monkeypatch.setattr("models.evaluation.bootstrap._CHUNK", 700)
    assert whole == paired_bootstrap(a, b, seed=7)


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([1.0, 2.0], [1.0], {}, "one value per query"),
        ([np.nan], [1.0], {}, "no query has a value"),
        ([], [], {}, "no query has a value"),
        ([1.0], [1.0], {"samples": 0}, "0 samples"),
        ([1.0], [1.0], {"level": 1.0}, "level 1.0"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, options, message):
    with pytest.raises(ModelError, match=message):
        paired_bootstrap(a, b, seed=0, **options)
