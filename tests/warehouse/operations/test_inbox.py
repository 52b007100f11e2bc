"""The inbox ingests complete files in order, each once, moves invalid ones aside with a reason, and leaves unfinished ones."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.ingest.deltas import applied_files, apply_deltas
from warehouse.ingest.full_snapshot import ingest
from warehouse.operations.inbox import DONE, FAILED, Sorting, candidates, move, sort_incoming, waiting
from warehouse.settings import WarehouseSettings

Drop = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with only the empty folder incoming/."""
    home = Home(tmp_path / "home", WarehouseSettings(threads=1))
    home.incoming.mkdir(parents=True)
    return home


@pytest.fixture
def raw_home(home: Home, write: Callable[..., Path]) -> Home:
    """Return the home with raw tables."""
    ingest(home.lake, write())
    return home


@pytest.fixture
def drop(home: Home) -> Drop:
    """Return a function that writes a file of upserts into the folder, with a modification time if one is given."""

    def put(name: str, *titles: str, second: int | None = None) -> Path:
        rows = [
            {"op": "upsert", "product_locale": "us", "product_id": f"N{number}", "product_title": title}
            for number, title in enumerate(titles)
        ]
        path = home.incoming / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        if second is not None:
            os.utime(path, (second, second))
        return path

    return put


def bring_in(home: Home, sorting: Sorting, run_id: str = "run", *, publish: bool = True) -> None:
    """Change the lake and the run log as a run of a batch does, or as one that is killed before its end."""
    apply_deltas(home.lake, sorting.batch)
    home.journal.append(run_id, "raw.deltas", {})
    if publish:
        checkpoints.create(home.lake, run_id, datetime.now(UTC))
        home.journal.append(run_id, "releases.live", {})


def names(sorting: Sorting) -> list[str]:
    return [file.path.name for file in sorting.batch]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.exists() else []


def test_without_a_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert sort_incoming(Home(tmp_path / "nowhere"), 0) == Sorting()
    assert not (tmp_path / "nowhere").exists()


def test_files_are_ingested_by_modification_time_then_by_name(home: Home, drop: Drop) -> None:
    drop("c.jsonl", "Lamp", second=1_000)
    drop("b.jsonl", "Sofa", second=2_000)
    drop("a.jsonl", "Desk", second=2_000)
    assert names(sort_incoming(home, 0)) == ["c.jsonl", "a.jsonl", "b.jsonl"]


def test_temporary_and_hidden_names_folders_and_dangling_links_are_no_files(home: Home, drop: Drop) -> None:
    for name in (".a.jsonl.Xk3", "a.jsonl.tmp", "a.parquet.part", "a.jsonl~"):
        drop(name, "Lamp")
    (home.incoming / "folder.jsonl").mkdir()
    (home.incoming / "link.jsonl").symlink_to("nothing")
    assert candidates(home.incoming) == []


def test_a_recently_changed_file_waits_whatever_its_modification_time(home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp", second=1_000)
    sorting = sort_incoming(home, 3600)
    assert (names(sorting), sorting.unsettled) == ([], ("a.jsonl",))


def test_an_unfinished_file_waits_for_its_writer(home: Home, tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    row = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Lamp"}
    pl.DataFrame([row]).write_parquet(whole)
    bytes_ = whole.read_bytes()
    with (home.incoming / "a.parquet").open("wb") as file:
        file.write(bytes_[:100])
        file.flush()
        sorting = sort_incoming(home, 0)
        assert (names(sorting), sorting.failed, sorting.unsettled) == ([], {}, ("a.parquet",))
        file.write(bytes_[100:])
    assert names(sort_incoming(home, 0)) == ["a.parquet"]


def test_a_reader_holds_nothing_up(home: Home, drop: Drop) -> None:
    with drop("a.jsonl", "Lamp").open("rb"):
        assert names(sort_incoming(home, 0)) == ["a.jsonl"]


def test_a_bad_file_goes_aside_with_its_reason_and_holds_up_no_other(home: Home, drop: Drop) -> None:
    drop("good.jsonl", "Lamp")
    (home.incoming / "bad.jsonl").write_text('{"op": "upse', encoding="utf-8")
    sorting = sort_incoming(home, 0)
    assert names(sorting) == ["good.jsonl"]
    assert "bad.jsonl cannot be read" in sorting.failed["bad.jsonl"]
    assert names_in(home.incoming / FAILED) == ["bad.jsonl", "bad.jsonl.reason.txt"]
    reason = (home.incoming / FAILED / "bad.jsonl.reason.txt").read_text(encoding="utf-8")
    assert "bad.jsonl cannot be read" in reason
    assert "copy the file again from its source" in reason


def test_a_file_of_which_every_row_is_refused_goes_aside_with_the_rules_and_holds_up_no_other(
    home: Home, drop: Drop
) -> None:
    drop("good.jsonl", "Lamp", " ")
    drop("bad.jsonl", " ", "")
    sorting = sort_incoming(home, 0)
    assert names(sorting) == ["good.jsonl"]
    assert "every row was refused: product_title_blank 2" in sorting.failed["bad.jsonl"]
    assert names_in(home.incoming / FAILED) == ["bad.jsonl", "bad.jsonl.reason.txt"]


def test_invalid_files_with_the_same_name_are_all_kept(home: Home) -> None:
    for content in ("one", "two"):
        (home.incoming / "bad.jsonl").write_text(content, encoding="utf-8")
        sort_incoming(home, 0)
    failed = home.incoming / FAILED
    assert [(failed / name).read_text(encoding="utf-8") for name in ("bad.jsonl", "bad.2.jsonl")] == ["one", "two"]
    assert names_in(failed) == ["bad.2.jsonl", "bad.2.jsonl.reason.txt", "bad.jsonl", "bad.jsonl.reason.txt"]


def test_a_file_that_breaks_off_behind_a_sound_beginning_is_bad(home: Home) -> None:
    path = home.incoming / "a.parquet"
    ids = [f"N{number}" for number in range(20_000)]
    frame = pl.DataFrame({"op": "upsert", "product_locale": "us", "product_id": ids, "product_title": ids})
    frame.write_parquet(path, compression="zstd", row_group_size=5_000)
    bytes_ = bytearray(path.read_bytes())
    middle = len(bytes_) // 2
    bytes_[middle : middle + 2_000] = os.urandom(1) * 2_000  # the footer still says that all is well
    path.write_bytes(bytes_)
    assert list(sort_incoming(home, 0).failed) == ["a.parquet"]


def test_a_file_is_done_once_a_run_has_published_it(raw_home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp")
    bring_in(raw_home, sort_incoming(raw_home, 0))
    assert names_in(raw_home.incoming) == [".clock", "a.jsonl"]
    sorting = sort_incoming(raw_home, 0)
    assert (names(sorting), sorting.done) == ([], ("a.jsonl",))
    assert names_in(raw_home.incoming / DONE) == ["a.jsonl"]
    assert sort_incoming(raw_home, 0) == Sorting()


def test_the_deltas_of_a_killed_run_wait_for_the_next_run(raw_home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp")
    bring_in(raw_home, sort_incoming(raw_home, 0), "killed", publish=False)
    sorting = sort_incoming(raw_home, 0)
    assert names(sorting) == ["a.jsonl"]
    bring_in(raw_home, sorting, "next")
    assert sort_incoming(raw_home, 0).done == ("a.jsonl",)
    assert len(applied_files(raw_home.lake)) == 1


def test_a_run_killed_between_checkpoint_and_release_is_completed(raw_home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp")
    bring_in(raw_home, sort_incoming(raw_home, 0), "killed", publish=False)
    checkpoints.create(raw_home.lake, "killed", datetime.now(UTC))
    assert names(sort_incoming(raw_home, 0)) == ["a.jsonl"]
    bring_in(raw_home, sort_incoming(raw_home, 0), "next")  # finds the point there already, under the other's name
    assert sort_incoming(raw_home, 0).done == ("a.jsonl",)


def test_other_content_under_a_known_name_is_applied_and_both_files_stay(raw_home: Home, drop: Drop) -> None:
    for number, title in enumerate(("Lamp", "Sofa")):
        drop("a.jsonl", title)
        sorting = sort_incoming(raw_home, 0)
        assert names(sorting) == ["a.jsonl"]
        bring_in(raw_home, sorting, f"run{number}")
        assert sort_incoming(raw_home, 0).done == ("a.jsonl",)
    done = raw_home.incoming / DONE
    assert [("Sofa" in (done / name).read_text(encoding="utf-8")) for name in names_in(done)] == [True, False]


def test_the_same_bytes_again_are_done_without_a_run(raw_home: Home, drop: Drop) -> None:
    for _ in range(2):
        drop("a.jsonl", "Lamp")
        bring_in(raw_home, sort_incoming(raw_home, 0))
        sort_incoming(raw_home, 0)
    drop("a.jsonl", "Lamp")
    sorting = sort_incoming(raw_home, 0)
    assert (names(sorting), sorting.done) == ([], ("a.jsonl",))
    assert len(applied_files(raw_home.lake)) == 1


def test_a_file_replaced_after_its_check_is_not_moved(home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp")
    (dropped,) = candidates(home.incoming)
    fresh: Any = drop("b.jsonl", "Another")
    fresh.rename(dropped.path)
    assert not move(dropped, DONE)
    assert "Another" in dropped.path.read_text(encoding="utf-8")
    assert names_in(home.incoming / DONE) == []


def test_waiting_files_are_listed_without_reading_them(home: Home, drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop("a.jsonl", "Lamp", second=2)
    (home.incoming / "bad.jsonl").write_text("no delta", encoding="utf-8")
    os.utime(home.incoming / "bad.jsonl", (1, 1))
    monkeypatch.setattr(Path, "open", None)
    assert [file.path.name for file in waiting(home.incoming, 0).whole] == ["bad.jsonl", "a.jsonl"]
    assert [file.path.name for file in waiting(home.incoming, 3600).unsettled] == ["bad.jsonl", "a.jsonl"]
    assert names_in(home.incoming) == [".clock", "a.jsonl", "bad.jsonl"]


def test_the_digest_depends_on_names_contents_and_order(home: Home, drop: Drop) -> None:
    drop("a.jsonl", "Lamp", second=1)
    one = waiting(home.incoming, 0).digest
    assert waiting(home.incoming, 0).digest == one
    drop("b.jsonl", "Sofa", second=2)
    both = waiting(home.incoming, 0).digest
    drop("b.jsonl", "Sofa", second=0)
    turned = waiting(home.incoming, 0).digest
    drop("b.jsonl", "Desk", second=0)
    assert len({one, both, turned, waiting(home.incoming, 0).digest}) == 4
