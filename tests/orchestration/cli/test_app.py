"""What holds for every command: exit status, help, the home, settings that are refused."""

import json
import tomllib
from pathlib import Path

import pytest

COMMANDS = (
    "build",
    "search",
    "sql",
    "features",
    "snapshots",
    "diff",
    "train",
    "evaluate",
    "status",
    "ui",
    "sample",
    "download",
)


def test_help_names_every_command(stockroom):
    answer = stockroom("--help")
    assert answer.status == 0
    for command in COMMANDS:
        assert command in answer.out


def test_the_version_is_printed_alone(stockroom):
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert stockroom("--version") == stockroom("--version", "status")
    answer = stockroom("--version")
    assert (answer.status, answer.out, answer.err) == (0, f"stockroom {project['version']}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(stockroom, command):
    answer = stockroom(command, "--help")
    assert answer.status == 0
    assert "--help" in answer.out
    assert answer.err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--nonsense"),
        ("nonsense",),
        ("search",),
        ("search", "tent", "-k", "0"),
        ("search", "tent", "-k", "many"),
        ("sql",),
        ("build", "surplus"),
        ("sample",),
    ],
)
def test_wrong_usage_exits_with_2_and_makes_nothing(stockroom, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    answer = stockroom(*arguments)
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_home_may_stand_before_the_command_after_it_or_in_the_environment(stockroom, built, tmp_path, monkeypatch):
    after = stockroom("status", "--json", "--home", built.home)
    assert after.status == 0
    assert stockroom("--home", built.home, "status", "--json") == after
    monkeypatch.setenv("STOCKROOM_HOME", str(built.home))
    assert stockroom("status", "--json") == after
    monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))
    assert stockroom("--home", built.home, "status", "--json") == after
    assert stockroom("status", "--json").status == 1
    assert stockroom("--home", tmp_path, "status", "--home", built.home, "--json") == after


def test_the_default_home_lies_in_the_working_directory(stockroom, built, tmp_path, monkeypatch):
    (tmp_path / ".stockroom").symlink_to(built.home)
    monkeypatch.chdir(tmp_path)
    assert json.loads(stockroom("status", "--json").out)["release"] == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("STOCKROOM_HOEM", "/tmp", "STOCKROOM_HOEM is not a setting; did you mean STOCKROOM_HOME?"),
        ("STOCKROOM_EPOCHS", "3", "STOCKROOM_EPOCHS is not a setting; did you mean STOCKROOM_TRAINING__EPOCHS?"),
        ("STOCKROOM_TRAINING__EPOCS", "3", "setting training.epocs: this setting does not exist"),
        ("STOCKROOM_TRAINING__EPOCS", "3", "did you mean training.epochs"),
        ("STOCKROOM_TRAINING__EPOCHS", "many", "setting training.epochs: "),
        ("STOCKROOM_TRAINING", "many", "the value of STOCKROOM_TRAINING is not JSON"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(stockroom, tmp_path, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    answer = stockroom("status", "--home", tmp_path)
    assert answer.status == 1
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1\n", "setting colour: "),
        ("[training]\nepocs = 1\n", "did you mean training.epochs"),
        ('raw = ""\n', "setting raw: must name a folder, not ''"),
        ("epochs = 1\n", "did you mean training.epochs"),
        ("training = 1\n", "setting training: must be a section, not 1"),
        ('[[feature_view]]\nnam = "a"\n', "did you mean name"),
        ("[training\n", "stockroom.toml"),
        ('home = "/elsewhere"\n', "names a home"),
    ],
)
def test_a_wrong_settings_file_is_refused_by_what_is_wrong(stockroom, tmp_path, text, message):
    (tmp_path / "stockroom.toml").write_text(text)
    answer = stockroom("status", "--home", tmp_path)
    assert answer.status == 1
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_an_error_is_one_line_of_what_is_wrong_and_how_to_mend_it(stockroom, tmp_path, monkeypatch):
    monkeypatch.setenv("STOCKROOM_ENCODER__MODEL", "none/such")
    answer = stockroom("vacuum", "--home", tmp_path)
    assert answer.status == 1
    assert answer.err.startswith("error: the encoder 'none/such' is neither")
    assert "cache; set STOCKROOM_ENCODER__MODEL" in answer.err
    assert answer.err.count("\n") == 1


def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_comes_on_demand(stockroom, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestration.cli.status.settings_for", lambda _: [][0])
    short = stockroom("status", "--home", tmp_path)
    assert short.status == 1
    assert short.err == (
        "error: IndexError: list index out of range "
        "(this is a fault of Stockroom; run again as stockroom --debug … to see where)\n"
    )
    long = stockroom("--debug", "status", "--home", tmp_path)
    assert long.status == 1
    assert long.err.startswith("Traceback (most recent call last):")
    assert long.err.endswith(short.err)
    monkeypatch.setenv("STOCKROOM_DEBUG", "1")
    assert stockroom("status", "--home", tmp_path) == long
