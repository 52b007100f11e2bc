"""Exact linear maps: sums that are equal in any order, so that the bits of a row's result depend on that row only.

The order in which a BLAS sums a row depends on its position in the batch and on the threads. So weights and inputs are
first rounded to fixed-point numbers, small enough that float64 holds every product and every partial sum exactly: then the
order of summation does not matter.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class ExactLinear:
    """Compute `x @ weight.T + bias` with sums that are exact in any order.

    For inputs with a length up to `bound`, an output and each of its partial sums stay below `bound * largest row
    length` (Cauchy-Schwarz); the fixed-point steps are the finest for which that is an integer below 2^52.
    """

    def __init__(self, weight: Floats, bias: Floats, bound: float) -> None:
        length = float(np.linalg.norm(weight, axis=1).max(initial=0.0)) or 1.0
        # Half of the bits for each side; one bit of 53 remains for the length that rounding adds.
        self.input_bits = 26 - math.ceil(math.log2(bound))
        weight_bits = 26 - math.ceil(math.log2(length))
        self.weight = np.rint(np.ldexp(weight, weight_bits)).T.copy()  # (inputs, outputs)
        self.step = math.ldexp(1.0, -self.input_bits - weight_bits)
        self.bias = bias

    def __call__(self, x: Floats) -> Floats:
        """Map x (rows, inputs) to (rows, outputs)."""
        product: Floats = np.rint(np.ldexp(x, self.input_bits)) @ self.weight
        return product * self.step + self.bias


def spectral_norm(weight: Floats) -> float:
    """Return the largest singular value of weight (outputs, inputs): the most by which it lengthens a row x.

    The largest eigenvalue of the smaller Gram matrix takes a tenth of the time of a singular value decomposition.
    """
    gram = weight.T @ weight if weight.shape[1] <= weight.shape[0] else weight @ weight.T
    return math.sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0))
