"""The files of a ranker: written whole, read as they were, refused where they are damaged."""

import json
import os

import pytest

from models.errors import ModelError
from models.ranking.choice import Choice, Trial
from models.ranking.ordering import Ordering
from models.ranking.ranker_files import RANKER_FILE, ordering_of, read_frozen, read_ranker, save

NAMES = ("title_words", "text_score")
METADATA = {"model": "m1", "importances": {"é": 1.0}, "corrects_spelling": True}
FILES = {"words.parquet": b"PAR1\x00", "empty": b""}


@pytest.fixture
def choice(tree) -> Choice:
    trials = (
        Trial("vector", 0.0, {}, 0.25),
        Trial("learned", 0.1 + 0.2, {"es": 2.0}, 0.5, 0.25, -0.01, 0.5, "vector"),
    )
    return Choice(Ordering("learned", 0.1 + 0.2, {"es": 2.0}, tree), "the best of 2 on 7 validation queries", trials, 7)


@pytest.fixture
def ranker(tmp_path, choice):
    save(tmp_path / "rankers" / "r1", choice, NAMES, 100, METADATA, FILES)
    return tmp_path / "rankers" / "r1"


def change(directory, **values) -> None:
    """Change the content of a ranker, and leave its checksum."""
    content = json.loads((directory / RANKER_FILE).read_bytes())
    (directory / RANKER_FILE).write_text(json.dumps(content | values), encoding="utf-8")


def test_a_ranker_comes_back_as_it_was(ranker, choice):
    content = read_ranker(ranker)
    ordering = ordering_of(content)
    assert (ordering.method, ordering.weight, ordering.weights) == ("learned", 0.1 + 0.2, {"es": 2.0})
    assert ordering.forest is not None
    assert ordering.forest.to_json() == choice.ordering.forest.to_json()
    assert (content["features"], content["candidates"]) == (list(NAMES), 100)
    assert (content["reason"], content["queries"]) == (choice.reason, 7)
    assert {name: content[name] for name in METADATA} == METADATA
    assert [trial["method"] for trial in content["trials"]] == ["vector", "learned"]
    assert content["trials"][1] == {
        "method": "learned",
        "weight": 0.1 + 0.2,
        "weights": {"es": 2.0},
        "recall_at_10": 0.5,
        "difference": 0.25,
        "low": -0.01,
        "high": 0.5,
        "against": "vector",
    }
    assert {name: read_frozen(ranker, content, name) for name in FILES} == FILES


def test_a_ranker_of_another_version_is_refused(tmp_path, choice):
    save(tmp_path / "r", choice, NAMES, 100, {"importances": {}}, FILES)  # it does not say whether it corrects spelling
    with pytest.raises(ModelError, match="another version of Stockroom wrote it"):
        read_ranker(tmp_path / "r")


def test_a_ranker_without_trees_comes_back_without_them(tmp_path):
    save(tmp_path / "r", Choice(Ordering("vector"), "", (), 0), NAMES, 10, METADATA, {})
    assert ordering_of(read_ranker(tmp_path / "r")) == Ordering("vector")


def test_equal_rankers_are_equal_bytes_and_nothing_else_is_left(ranker, choice):
    save(ranker.parent / "r2", choice, NAMES, 100, METADATA, FILES)
    one, two = ({path.name: path.read_bytes() for path in (ranker.parent / name).iterdir()} for name in ("r1", "r2"))
    assert one == two
    assert one.keys() == {RANKER_FILE, *FILES}
    assert {path.name for path in ranker.parent.iterdir()} == {"r1", "r2"}


def test_a_save_that_fails_leaves_nothing(tmp_path, choice, monkeypatch):
    def fail(_file: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        save(tmp_path / "rankers" / "r1", choice, NAMES, 100, {}, FILES)
    assert list((tmp_path / "rankers").iterdir()) == []


def test_saving_again_replaces_a_damaged_ranker(ranker, choice):
    (ranker / RANKER_FILE).write_text("{}", encoding="utf-8")
    (ranker / "stray").touch()
    save(ranker, choice, NAMES, 100, METADATA | {"model": "m2"}, FILES)
    assert read_ranker(ranker)["model"] == "m2"
    assert {path.name for path in ranker.iterdir()} == {RANKER_FILE, *FILES}


@pytest.mark.parametrize(
    "changed",
    [{"weight": 1.0}, {"forest": None}, {"format": 3}, {"candidates": 10}, {"sha256": "0"}, {"more": 1}],
)
def test_a_changed_value_is_refused(ranker, changed):
    change(ranker, **changed)
    with pytest.raises(ModelError, match="is damaged, or another version of Stockroom wrote it"):
        read_ranker(ranker)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"format": 1}', "\udcff"])
def test_what_is_no_ranker_is_refused(ranker, text):
    (ranker / RANKER_FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"ranker\.json is not a ranker"):
        read_ranker(ranker)


def test_a_missing_ranker_is_refused(ranker):
    with pytest.raises(ModelError, match=r"ranker\.json cannot be read \(No such file or directory\)") as refusal:
        read_ranker(ranker / "gone")
    assert "stockroom build" in str(refusal.value)


def test_a_frozen_file_that_is_missing_or_another_is_refused(ranker):
    content = read_ranker(ranker)
    (ranker / "words.parquet").write_bytes(b"PAR1\x01")
    with pytest.raises(ModelError, match=r"words\.parquet is not the file that was saved"):
        read_frozen(ranker, content, "words.parquet")
    (ranker / "words.parquet").unlink()
    with pytest.raises(ModelError, match=r"words\.parquet cannot be read"):
        read_frozen(ranker, content, "words.parquet")
    (ranker / "unknown").write_bytes(b"")
    with pytest.raises(ModelError, match="unknown is not the file that was saved"):
        read_frozen(ranker, content, "unknown")
