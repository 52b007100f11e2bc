import json
import shutil
from pathlib import Path

import pytest

from models.encoder import fingerprint
from models.encoder.fingerprint import (
    cpu_has_bf16,
    encoder_fingerprint,
    encoder_identity,
    model_folder,
    resolve_backend,
    resolve_precision,
)
from models.errors import ModelError
from models.settings import EncoderSettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a folder with the file names of a model: the fingerprint depends on their bytes only."""
    model = tmp_path / "model"
    for name, content in {
        "modules.json": "[]",
        "config.json": "{}",
        "tokenizer.json": "{}",
        "model.safetensors": "weights",
        "1_Pooling/config.json": '{"pooling_mode": "mean"}',
        "README.md": "words",
    }.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(content)
    return model


def of(folder: Path, **changes: object) -> str:
    return encoder_fingerprint(EncoderSettings(**{"model": str(folder), "precision": "f32"} | changes))


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json", "tokenizer.json", "modules.json"])
def test_every_file_of_the_model_changes_the_fingerprint(folder, name):
    before = of(folder)
    (folder / name).write_text("other")
    assert of(folder) != before


def test_longest_text_and_backend_change_the_fingerprint(folder):
    assert len({of(folder), of(folder, max_tokens=128), of(folder, backend="torch")}) == 3


def test_resolved_precision_changes_the_fingerprint_and_its_setting_does_not(folder, monkeypatch):
    monkeypatch.setattr(fingerprint, "cpu_has_bf16", lambda: True)
    assert of(folder, precision="auto") == of(folder, precision="bf16") != of(folder, precision="f32")
    monkeypatch.setattr(fingerprint, "cpu_has_bf16", lambda: False)
    assert of(folder, precision="auto") == of(folder, precision="f32")


def test_int8_has_a_fingerprint_of_its_own_and_is_refused_where_the_cpu_has_none(folder, monkeypatch):
    monkeypatch.setattr(fingerprint, "cpu_has_int8", lambda: True)
    monkeypatch.setattr(fingerprint, "cpu_has_bf16", lambda: True)
    assert len({of(folder, precision=precision) for precision in ("f32", "bf16", "int8")}) == 3
    assert resolve_precision(EncoderSettings(precision="auto")) == "bf16"
    with pytest.raises(ModelError, match="cannot compute in int8 here"):
        of(folder, precision="int8", backend="torch")
    monkeypatch.setattr(fingerprint, "cpu_has_int8", lambda: False)
    with pytest.raises(ModelError, match="cannot compute in int8 here") as caught:
        of(folder, precision="int8")
    assert caught.value.hint == "set STOCKROOM_ENCODER__PRECISION=auto"


def test_openvino_runs_by_itself_on_cpus_with_avx2_alone(folder, monkeypatch):
    monkeypatch.setattr(fingerprint, "cpu_has_avx2", lambda: True)
    assert resolve_backend(EncoderSettings()) == "openvino"
    assert resolve_backend(EncoderSettings(device="cuda")) == "torch"
    monkeypatch.setattr(fingerprint, "cpu_has_avx2", lambda: False)
    assert resolve_backend(EncoderSettings()) == "torch"
    assert resolve_backend(EncoderSettings(backend="openvino")) == "openvino"
    assert of(folder) == of(folder, backend="torch")


def test_text_template_changes_the_fingerprint(folder, monkeypatch):
    before = of(folder)
    monkeypatch.setattr(fingerprint, "TEXT_TEMPLATE", "title/2")
    assert of(folder) != before


def test_speed_place_and_prose_do_not_change_the_fingerprint(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    (moved / "README.md").write_text("other words")
    (moved / "pytorch_model.bin").write_text("the same weights, pickled")
    (moved / "onnx").mkdir()
    (moved / "onnx" / "config.json").write_text("{}")
    assert of(moved, batch_texts=7, threads=1) == of(folder)


def test_fingerprint_is_sixteen_hex_digits_of_a_plain_identity(folder):
    settings = EncoderSettings(model=str(folder), precision="f32")
    assert len(encoder_fingerprint(settings)) == 16
    int(encoder_fingerprint(settings), 16)
    assert json.loads(json.dumps(encoder_identity(settings))) == encoder_identity(settings)


def test_default_weights_are_the_published_ones():
    files = encoder_identity(EncoderSettings())["files"]
    assert files["model.safetensors"] == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_missing_model_names_the_setting():
    with pytest.raises(ModelError, match="'no/such-model' is neither") as caught:
        model_folder(EncoderSettings(model="no/such-model"))
    assert "STOCKROOM_ENCODER__MODEL" in caught.value.hint


def test_a_folder_without_modules_is_not_taken_for_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"no modules\.json"):
        model_folder(EncoderSettings(model=str(tmp_path)))


def test_bf16_is_refused_where_the_cpu_lacks_it(monkeypatch):
    monkeypatch.setattr(fingerprint, "cpu_has_bf16", lambda: False)
    with pytest.raises(ModelError, match="bf16"):
        resolve_precision(EncoderSettings(precision="bf16"))


def test_torch_computes_in_f32(monkeypatch):
    monkeypatch.setattr(fingerprint, "cpu_has_bf16", lambda: True)
    assert resolve_precision(EncoderSettings(backend="torch")) == "f32"
    with pytest.raises(ModelError, match="bf16"):
        resolve_precision(EncoderSettings(backend="torch", precision="bf16"))


def test_a_gpu_means_torch_and_contradicts_openvino(folder):
    assert of(folder, device="cuda") == of(folder, backend="torch")
    with pytest.raises(ModelError, match="openvino backend runs on CPUs"):
        of(folder, device="cuda", backend="openvino")


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd\n", False),
    ],
)
def test_bf16_is_read_from_the_cpus_flags(tmp_path, cpuinfo, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    assert cpu_has_bf16(path) is expected


def test_a_system_that_does_not_list_its_flags_has_no_bf16(tmp_path):
    assert cpu_has_bf16(tmp_path / "absent") is False
