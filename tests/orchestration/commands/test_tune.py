"""Trials use the validation split alone, stay in the home, and are equal in one call or in several."""

import json
import tomllib

import pytest

from orchestration.commands import tune as tuner
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError


def open_copy(home, monkeypatch, epochs=2):
    monkeypatch.setenv("STOCKROOM_TRAINING__EPOCHS", str(epochs))
    monkeypatch.setenv("STOCKROOM_TRAINING__THREADS", "1")
    return open_run_context(load_settings(home))


def rows(run_context):
    with run_context.home.lake.reading() as connection:
        return connection.sql("SELECT * FROM evaluation.trials ORDER BY trial").pl()


def test_trials_resume_an_earlier_call_with_the_same_results(copy_home, monkeypatch):
    cached, twice = (open_copy(copy_home(), monkeypatch) for _ in range(2))
    calls = []
    train = tuner._train
    monkeypatch.setattr(tuner, "_train", lambda *given: calls.append(given) or train(*given))
    report = tuner.tune(cached, 2)
    assert (report["ran"], report["trials"]) == (2, 2)
    assert tuner.tune(twice, 1)["trials"] == 1
    assert tuner.tune(twice, 1)["trials"] == 2
    assert rows(cached).equals(rows(twice))

    trials = rows(cached)
    tried = [json.loads(settings) for settings in trials["settings"]]
    assert tried[0] == tuner._current(cached)
    assert len({json.dumps(one) for one in tried}) == 2
    assert trials["score"].to_list() == (trials["recall_at_10"] + trials["mrr"]).to_list()
    assert trials.filter("is_best")["score"].to_list() == [trials["score"].max()]
    assert report["best"]["score"] == trials["score"].max() >= report["first"]["score"]
    # what is trained with is what is told
    for (run_context, _), trial in zip(calls[:2], tried, strict=True):
        assert tuner._current(run_context) == trial


def test_other_data_begins_another_study(copy_home, monkeypatch):
    home = copy_home()
    first = tuner.tune(open_copy(home, monkeypatch), 1)
    second = tuner.tune(open_copy(home, monkeypatch, epochs=1), 1)
    assert first["study"] != second["study"]
    assert second["trials"] == 1


def test_without_a_model_to_learn_there_is_nothing_to_tune(copy_home, monkeypatch):
    with pytest.raises(WarehouseError, match="nothing to tune"):
        tuner.tune(open_copy(copy_home(), monkeypatch, epochs=0), 1)


def test_the_printed_lines_are_settings(copy_home, monkeypatch, capsys):
    from orchestration.cli.tune import tune

    home = copy_home()
    open_copy(home, monkeypatch)
    tune(1, home)
    printed = capsys.readouterr().out
    (home / "stockroom.toml").write_text(printed, encoding="utf-8")
    printed_settings = tomllib.loads(printed)
    assert set(printed_settings) == {"tower", "training"}
    settings = load_settings(home)
    assert settings.tower.width == printed_settings["tower"]["width"]
