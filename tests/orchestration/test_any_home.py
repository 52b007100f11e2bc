"""Whole commands on a home with an unusual name, and on a read-only one."""

import json
import os
from pathlib import Path

import pytest

from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError

ODD = "höm e%3F?#'\"[a-z]*{x}&;$\\🙂"


@pytest.fixture(scope="module")
def odd_home(copy_home) -> Path:
    home = copy_home()
    moved = home.parent / "place" / ODD
    moved.parent.mkdir()
    return home.rename(moved)


def test_a_home_with_an_odd_name_can_be_searched_changed_and_vacuumed(stockroom, odd_home, tmp_path):
    for name, product in (("a[1]*?.jsonl", "N1"), ("ä %20.jsonl", "N2")):
        folder = tmp_path if product == "N1" else odd_home / "incoming"
        folder.mkdir(exist_ok=True)
        delta = {"op": "upsert", "product_locale": "us", "product_id": product, "product_title": "Velvet accordion"}
        (folder / name).write_text(json.dumps(delta), encoding="utf-8")
        os.utime(folder / name, (1, 1))
    (tmp_path / "a1x.jsonl").write_text("no delta, and matched by the name of one", encoding="utf-8")
    applied = stockroom("apply", tmp_path / "a[1]*?.jsonl", "--home", odd_home, "--json")
    assert applied.status == 0, applied.err
    assert [file["name"] for file in json.loads(applied.out)["files"]] == ["a[1]*?.jsonl"]
    for arguments in (
        ("status",),
        (
            "sql",
            "SELECT staging.products.title FROM staging.products JOIN vectors.products USING (key) WHERE key = 'us:N1'",
        ),
        ("search", "velvet accordion", "-k", 1),
        ("lookup", "product", "us:N1"),
        ("apply", "--incoming"),
        ("lookup", "product", "us:N2"),
        ("rollback",),
        ("snapshots",),
        ("history",),
        ("vacuum", "--keep", 1),
        ("search", "velvet accordion", "-k", 1),
    ):
        answer = stockroom(*arguments, "--home", odd_home)
        assert answer.status == 0, (arguments, answer.err)
    assert os.listdir(odd_home.parent) == [ODD]


def test_a_home_that_may_only_be_read_answers_and_refuses_in_one_line_what_would_write(
    stockroom, copy_home, built, tmp_path, read_only
):
    home = copy_home()
    before = _files(home)
    read_only(home)
    examples = built.raw / "shopping_queries_dataset_examples.parquet"
    for arguments in (
        ("status",),
        ("sql", "SELECT count(*) FROM staging.products JOIN vectors.products USING (key)"),
        ("sql", "--as-of", built.report["snapshot"], "SELECT count(*) FROM staging.products"),
        ("snapshots",),
        ("releases",),
        ("features",),
        ("history",),
        ("search", "office chair", "-k", 1),
        ("diff", built.report["snapshot"], built.report["snapshot"], "staging.products"),
        ("evaluate",),
        ("evaluate", "--examples", examples),
        ("vacuum", "--dry-run"),
    ):
        answer = stockroom(*arguments, "--home", home)
        assert answer.status == 0, (arguments, answer.err)
    key = json.loads(stockroom("sql", "SELECT min(key) AS key FROM features.products", "--home", home, "--json").out)
    assert stockroom("lookup", "product", key[0]["key"], "--home", home).status == 0
    (tmp_path / "delta.jsonl").write_text('{"op": "delete", "product_locale": "us", "product_id": "N1"}')
    for arguments in (
        ("build",),
        ("replay",),
        ("apply", tmp_path / "delta.jsonl"),
        ("apply", "--incoming"),
        ("vacuum",),
        ("rollback",),
        ("train",),
        ("tune", "--trials", 1),
        ("ui", "--port", 1),
    ):
        answer = stockroom(*arguments, "--home", home)
        assert answer.status == 1, arguments
        assert f"error: {home} may not be written; " in answer.err, (arguments, answer.err)
    assert _files(home) == before


def test_a_home_whose_parent_may_not_be_written_is_refused_and_leaves_nothing(stockroom, built, tmp_path, read_only):
    read_only(tmp_path)
    answer = stockroom("build", "--raw", built.raw, "--home", tmp_path / "new")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert f"{tmp_path} may not be written, so that {tmp_path}/new cannot be created" in answer.err
    answer = stockroom("sample", "--products", 100, "--out", tmp_path / "new")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert str(tmp_path / "new") in answer.err
    assert os.listdir(tmp_path) == []


def test_a_file_as_home_is_refused_by_every_command_alike(stockroom, tmp_path):
    (tmp_path / "file").touch()
    for command in (("status",), ("build",), ("ui",), ("sql", "SELECT 1")):
        answer = stockroom(*command, "--home", tmp_path / "file")
        assert (answer.status, answer.err.count("\n")) == (1, 1)
        assert f"{tmp_path}/file is a file, and a home is a directory" in answer.err


def test_an_argument_that_is_no_utf_8_is_refused(stockroom):
    answer = stockroom("status", "--home", os.fsdecode(b"a\xffb"))
    assert (answer.status, answer.err) == (
        1,
        "error: a\\xffb is not UTF-8; give the file or directory a name in UTF-8\n",
    )


def test_a_home_of_the_environment_may_begin_with_a_tilde_and_is_checked_too(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STOCKROOM_HOME", "~/home")
    assert load_settings().home == tmp_path / "home"
    (tmp_path / "home").touch()
    with pytest.raises(WarehouseError, match="is a file"):
        load_settings()


def _files(home: Path) -> dict[str, tuple[int, int]]:
    stats = ((path, path.stat()) for path in home.rglob("*"))
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in stats}
