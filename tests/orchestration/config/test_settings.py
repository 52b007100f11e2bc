"""Settings come from the caller, then the environment, then the home's file; an unknown setting is refused."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from orchestration.config.settings import Settings, load_settings
from warehouse.errors import WarehouseError


def test_the_environment_goes_before_the_file_value_by_value(tmp_path, monkeypatch):
    (tmp_path / "stockroom.toml").write_text("[training]\nepochs = 5\nseed = 7\n[bm25]\nk1 = 0.5\n")
    monkeypatch.setenv("STOCKROOM_TRAINING__EPOCHS", "3")
    settings = load_settings(tmp_path)
    assert (settings.training.epochs, settings.training.seed, settings.bm25.k1) == (3, 7, 0.5)
    assert settings.training.patience == Settings.model_fields["training"].default.patience


def test_the_file_is_that_of_the_home_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "stockroom.toml").write_text("[training]\nepochs = 5\n")
    monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))
    assert load_settings().training.epochs == 5
    assert load_settings().home == tmp_path
    assert load_settings(tmp_path / "other").training.epochs == Settings.model_fields["training"].default.epochs


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("STOCKROOM_HOME", "")
    assert load_settings().home == Path(".stockroom")


def test_settings_cannot_be_changed(tmp_path):
    with pytest.raises(ValidationError, match="frozen"):
        load_settings(tmp_path).home = Path("elsewhere")


@pytest.mark.parametrize(
    ("key", "value"), [("training.epochs", -1), ("encoder.max_tokens", 12), ("tower.mode", "none")]
)
def test_a_value_out_of_bounds_is_refused_with_its_name_and_where_to_mend_it(tmp_path, monkeypatch, key, value):
    variable = f"STOCKROOM_{key.upper().replace('.', '__')}"
    monkeypatch.setenv(variable, str(value))
    with pytest.raises(WarehouseError, match=f"setting {key}: ") as refused:
        load_settings(tmp_path)
    assert variable in refused.value.hint
    assert str(value) in refused.value.message


def test_every_setting_is_described():
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    models = {name: kind for name, kind in sections.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}
    assert {"warehouse", "training", "automation"} < models.keys()
    for section, model in models.items():
        for name, field in model.model_fields.items():
            assert field.description, f"{section}.{name}"
