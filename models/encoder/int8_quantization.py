"""Int8 quantization: an encoder's matrices rounded to eight bits, for OpenVINO to multiply as integers."""

from typing import Any

import numpy as np

GROUP_SIZE = 32
"""Activations of a token that share a scale when OpenVINO rounds them, in values; larger groups are faster, less exact."""


def quantize_weights(model: Any) -> int:
    """Round every weight matrix to int8, in place, with one scale per output; return the number of matrices.

    Activations stay in floating point here. OpenVINO rounds them at run time, in groups within one token, so that a text's
    vector depends on no other text. No calibration is needed.

    Args:
        model: An `openvino.Model` with f32 weights.
    """
    from openvino import opset13 as ops

    count = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        constant = node.input_value(1).get_node()
        if constant.get_type_name() != "Constant" or constant.data.ndim != 2:
            continue
        inputs_axis = 1 if node.get_attributes()["transpose_b"] else 0
        scale, rounded = quantize(constant.data, inputs_axis)
        restored = ops.multiply(ops.convert(ops.constant(rounded), "f32"), ops.constant(scale))
        node.input(1).replace_source_output(restored.output(0))
        count += 1
    return count


def quantize(
    weights: np.ndarray[Any, np.dtype[np.float32]], axis: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.int8]]]:
    """Return scales, and int8 weights that times the scales differ from the weights by at most half a scale.

    Args:
        weights: A matrix.
        axis: The axis that the multiplication sums over; all values along it share a scale.
    """
    largest = np.abs(weights).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return scale, np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
