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
    assert refused.value.hint == f"correct it in the environment: {variable}"
    assert str(value) in refused.value.message


@pytest.mark.parametrize(
    ("variables", "text", "place"),
    [
        ({}, "[training]\nepochs = -1\n", "{file}"),
        ({"EPOCHS": "-1"}, "[training]\nepochs = 3\n", "the environment: STOCKROOM_TRAINING__EPOCHS"),
        ({"EPOCHS": ""}, "[training]\nepochs = -1\n", "{file}"),
        ({"SEED": "1"}, "[training]\nepochs = -1\n", "{file}"),
        ({"EPOCS": "1"}, "", "the environment: STOCKROOM_TRAINING__EPOCS: did you mean training.epochs?"),
        ({}, "[training]\nepocs = 1\n", "{file}: did you mean training.epochs?"),
        ({}, "[[feature_view]]\nname = 1\n", "[[feature_view]] of {file}"),
    ],
)
def test_a_wrong_value_is_told_with_the_place_that_it_came_from(tmp_path, monkeypatch, variables, text, place):
    file = tmp_path / "stockroom.toml"
    file.write_text(text)
    for name, value in variables.items():
        monkeypatch.setenv(f"STOCKROOM_TRAINING__{name}", value)
    with pytest.raises(WarehouseError) as refused:
        load_settings(tmp_path)
    assert refused.value.hint == f"correct it in {place.format(file=file)}"


def test_a_section_as_json_is_told_as_the_place(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCKROOM_TRAINING", '{"epochs": -1}')
    with pytest.raises(WarehouseError, match=r"setting training\.epochs") as refused:
        load_settings(tmp_path)
    assert refused.value.hint == "correct it in the environment: STOCKROOM_TRAINING"
    monkeypatch.setenv("STOCKROOM_TRAINING", "many")
    with pytest.raises(WarehouseError, match=r"^the value of STOCKROOM_TRAINING is not JSON"):
        load_settings(tmp_path)


def test_values_that_do_not_go_together_are_told_with_all_places(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCKROOM_AUTOMATION__FRESHNESS_WARN_H", "200")
    variable, file = "STOCKROOM_AUTOMATION__FRESHNESS_WARN_H", tmp_path / "stockroom.toml"
    with pytest.raises(WarehouseError) as refused:
        load_settings(tmp_path)
    assert refused.value.hint == f"correct it in the environment: {variable}"
    file.write_text("[automation]\nfreshness_fail_h = 100\n")
    with pytest.raises(WarehouseError) as refused:
        load_settings(tmp_path)
    assert refused.value.hint == f"correct it in the environment: {variable}, or in {file}"


def test_every_setting_is_described():
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    models = {name: kind for name, kind in sections.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}
    assert {"warehouse", "training", "automation"} < models.keys()
    for section, model in models.items():
        for name, field in model.model_fields.items():
            assert field.description, f"{section}.{name}"
