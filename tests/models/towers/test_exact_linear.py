import numpy as np
import pytest

from models.towers.exact_linear import ExactLinear, spectral_norm


def test_sums_are_exact_in_any_order():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(40, 700)), rng.normal(size=(50, 700))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    linear = ExactLinear(weight, np.zeros(40), bound=1.0)
    order = rng.permutation(700)
    assert np.array_equal(ExactLinear(weight[:, order], np.zeros(40), bound=1.0)(x[:, order]), linear(x))
    np.testing.assert_allclose(linear(x), x @ weight.T, atol=1e-4)
    largest = np.abs(np.rint(np.ldexp(x, linear.input_bits))) @ np.abs(linear.weight)
    assert largest.max() < 2**53


@pytest.mark.parametrize("shape", [(6, 6), (3, 40), (40, 3), (1, 5)])
def test_the_spectral_norm_is_the_largest_singular_value(shape):
    weight = np.random.default_rng(0).normal(size=shape)
    assert spectral_norm(weight) == pytest.approx(np.linalg.svd(weight, compute_uv=False)[0], rel=1e-9)
