"""Delta files are applied completely or not at all, each once; the newest change of a row wins in any order and batch."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import Applied, apply_deltas
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import input_files
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.operations.delta_history import delta_history
from warehouse.settings import WarehouseSettings

Row = dict[str, Any]
Write = Callable[..., Path]
NOON, LATER, EARLIER = (f"2026-01-01T{hour}:00:00Z" for hour in (12, 13, 11))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
EXAMPLES = int(os.environ.get("TRIALS", "4"))
RAW = ("raw.products", "raw.judgements", "raw.events", "raw.deltas", "raw.files", "quarantine.rows")


def upsert(product_id: str | None, title: str | None, event_time: str | None = None, **others: str | None) -> Row:
    row = {"op": "upsert", "product_locale": "us", "product_id": product_id, "product_title": title, **others}
    return row | ({"event_time": event_time} if event_time else {})


def delete(product_id: str | None, event_time: str | None = None) -> Row:
    row = {"op": "delete", "product_locale": "us", "product_id": product_id}
    return row | ({"event_time": event_time} if event_time else {})


@pytest.fixture
def delta(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a JSON-lines delta file, by default under a new name."""
    made = 0

    def make(*rows: Row, name: str | None = None) -> Path:
        nonlocal made
        path = tmp_path / (name or f"delta{(made := made + 1)}.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return make


@pytest.fixture
def raw_lake(filled: Lake) -> Lake:
    """Return a lake with four products and five judgements."""
    return filled


def bring_in(lake: Lake, *paths: Path, **how: bool) -> list[Applied]:
    return apply_deltas(lake, check_deltas(paths, NOW), **how)


def titles(lake: Lake) -> dict[str, str]:
    with lake.reading() as connection:
        return dict(connection.sql("SELECT key, product_title FROM raw.products WHERE key LIKE 'us:%'").fetchall())


def refusals(lake: Lake) -> list[tuple[str, str]]:
    with lake.reading() as connection:
        return connection.sql("SELECT key, rule FROM quarantine.rows ORDER BY ALL").fetchall()


def counts(applied: Applied) -> dict[str, int]:
    names = ("inserted", "updated", "deleted", "unchanged", "unknown", "superseded", "late", "refused")
    return {name: getattr(applied, name) for name in names if getattr(applied, name)}


def test_upserts_and_deletes_change_what_they_name_and_nothing_else(raw_lake: Lake, delta: Write) -> None:
    (done,) = bring_in(raw_lake, delta(upsert("P1", "Boots"), upsert("P9", "Lamp"), delete("P2")))
    assert titles(raw_lake) == {"us:P1": "Boots", "us:P9": "Lamp"}
    assert counts(done) == {"inserted": 1, "updated": 1, "deleted": 1}
    assert (done.rows, done.upserts, done.deletes, done.sequence_number, done.is_new) == (3, 2, 1, 1, True)


def test_an_upsert_is_a_whole_row(raw_lake: Lake, delta: Write) -> None:
    bring_in(raw_lake, delta(upsert("P1", "Boots", product_brand="Adidas")))
    with raw_lake.reading() as connection:
        row = connection.sql(
            "SELECT product_brand, product_color, product_description FROM raw.products WHERE key = 'us:P1'"
        )
        assert row.fetchone() == ("Adidas", None, None)


def test_what_is_there_already_changes_nothing(raw_lake: Lake, delta: Write) -> None:
    before = fingerprint(raw_lake, "raw.products")
    (done,) = bring_in(raw_lake, delta(upsert("P2", "Plain Mug")))
    assert counts(done) == {"unchanged": 1}
    assert fingerprint(raw_lake, "raw.products") == before


def test_parquet_says_the_same_as_json_lines(raw_lake: Lake, delta: Write, tmp_path: Path) -> None:
    rows = [upsert("P1", "Boots", NOON), delete("P2", NOON)]
    path = tmp_path / "delta.parquet"
    pl.DataFrame(rows).with_columns(pl.col("event_time").str.to_datetime("%+", time_unit="us")).write_parquet(path)
    (done,) = bring_in(raw_lake, path)
    assert counts(done) == {"updated": 1, "deleted": 1}
    (again,) = bring_in(raw_lake, delta(*rows))
    assert counts(again) == {"unchanged": 1, "unknown": 1}


def test_judgements_are_known_by_their_columns(raw_lake: Lake, delta: Write, judgement: Callable[..., Row]) -> None:
    new = judgement(6, "mug", 9, "P2", "us", "E", "train")
    gone = {"op": "delete", "product_locale": "us", "query_id": 1, "product_id": "P2"}
    (done,) = bring_in(raw_lake, delta({"op": "upsert", **new}, gone))
    assert (done.table, counts(done)) == ("raw.judgements", {"inserted": 1, "deleted": 1})
    with raw_lake.reading() as connection:
        keys = connection.sql("SELECT key FROM raw.judgements WHERE product_id = 'P2' ORDER BY key").fetchall()
        assert keys == [("us:2:P2",), ("us:9:P2",)]


def test_an_older_upsert_does_not_restore_a_deleted_product(raw_lake: Lake, delta: Write) -> None:
    bring_in(raw_lake, delta(delete("P1", NOON)))
    (late,) = bring_in(raw_lake, delta(upsert("P1", "Late", EARLIER)))
    assert counts(late) == {"late": 1}
    assert "us:P1" not in titles(raw_lake)
    bring_in(raw_lake, delta(upsert("P1", "Back", LATER)))
    assert titles(raw_lake)["us:P1"] == "Back"


def test_the_delete_of_an_unknown_product_is_counted_and_leaves_a_tombstone(raw_lake: Lake, delta: Write) -> None:
    (done,) = bring_in(raw_lake, delta(delete("P7", NOON)))
    assert counts(done) == {"unknown": 1}
    bring_in(raw_lake, delta(upsert("P7", "Late", EARLIER)))
    assert "us:P7" not in titles(raw_lake)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_of_two_files_that_disagree_the_newer_event_stays(
    raw_lake: Lake, delta: Write, together: bool, newest_first: bool
) -> None:
    files = [
        delta(upsert("P1", "Old", NOON), upsert("P2", "New", LATER)),
        delta(upsert("P1", "New", LATER), delete("P2", NOON)),
    ]
    files = files[::-1] if newest_first else files
    for batch in [files] if together else [[file] for file in files]:
        bring_in(raw_lake, *batch)
    assert titles(raw_lake) == {"us:P1": "New", "us:P2": "New"}


def test_at_equal_times_and_without_one_the_last_change_wins(raw_lake: Lake, delta: Write) -> None:
    bring_in(raw_lake, delta(upsert("P1", "One", NOON), upsert("P1", "Two", NOON)), delta(upsert("P2", "One")))
    (done,) = bring_in(raw_lake, delta(upsert("P1", "Three", NOON), upsert("P2", "Two")))
    assert titles(raw_lake) == {"us:P1": "Three", "us:P2": "Two"}
    assert counts(done) == {"updated": 2}


def test_a_row_without_a_time_comes_after_all_that_came_before_it(raw_lake: Lake, delta: Write) -> None:
    bring_in(raw_lake, delta(upsert("P1", "Noon", NOON), upsert("P1", "Now"), upsert("P1", "Early", EARLIER)))
    assert titles(raw_lake)["us:P1"] == "Now"
    (late,) = bring_in(raw_lake, delta(upsert("P1", "Early", EARLIER)))
    assert counts(late) == {"late": 1}
    bring_in(raw_lake, delta(upsert("P1", "Later", LATER)))
    assert titles(raw_lake)["us:P1"] == "Later"


def test_rows_that_break_a_rule_are_refused_by_name_until_a_good_one_comes(raw_lake: Lake, delta: Write) -> None:
    (done,) = bring_in(
        raw_lake,
        delta(
            upsert(None, "No key"),
            delete(None),
            upsert("P1", " "),
            upsert("P2", "Mug") | {"op": "replace"},
            upsert("P8", "Soon", "soon"),
            delete("P0"),
        ),
    )
    assert counts(done) == {"unknown": 1, "refused": 5}
    assert done.rules == {
        "event_time_malformed": 1,
        "product_id_missing": 2,
        "product_title_blank": 1,
        "unknown_op": 1,
    }
    assert titles(raw_lake) == {"us:P1": "Nike <b>Running</b> Shoes 42", "us:P2": "Plain Mug"}
    bring_in(raw_lake, delta(upsert("P1", "Boots"), upsert(None, "No key either")))
    assert refusals(raw_lake) == [
        ("us:", "product_id_missing"),
        ("us:", "product_id_missing"),
        ("us:", "product_id_missing"),
        ("us:P2", "unknown_op"),
        ("us:P8", "event_time_malformed"),
    ]


def test_a_file_is_applied_once_and_its_bytes_under_another_name_again(raw_lake: Lake, delta: Write) -> None:
    first = delta(upsert("P1", "A"), name="monday.jsonl")
    bring_in(raw_lake, first, delta(upsert("P1", "B"), name="tuesday.jsonl"))
    before = raw_lake.snapshot()
    (again,) = bring_in(raw_lake, first)
    assert (again.is_new, again.sequence_number) == (False, 1)
    assert (raw_lake.snapshot(), titles(raw_lake)["us:P1"]) == (before, "B")
    (third,) = bring_in(raw_lake, delta(upsert("P1", "A"), name="wednesday.jsonl"))
    assert (third.is_new, third.sequence_number, titles(raw_lake)["us:P1"]) == (True, 3, "A")


BAD = {
    "half-written": ('{"op": "delete", "product_locale": "us", "product_id": "P1"}\n{"op": "upse', "cannot be read"),
    "no object": ('{"op": "delete", "product_locale": "us", "product_id": "P1"}\n42\n', "line 2 is not a JSON object"),
    "empty": ("", "has no rows"),
    "no op": ('{"product_locale": "us", "product_id": "P1"}\n', "has no column op"),
    "no key": ('{"op": "delete", "product_id": "P1"}\n', "has no column product_locale"),
    "both": (
        '{"op": "delete", "product_locale": "us", "product_id": "P1", "query_id": 1, "product_title": "x"}\n',
        "a delta file neither of products nor of judgements",
    ),
    "no title": ('{"op": "upsert", "product_locale": "us", "product_id": "P1"}\n', "no column product_title"),
    "pointer": ("version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_named_and_the_good_ones_beside_it_stay_out_too(raw_lake: Lake, delta: Write, how: str) -> None:
    before = raw_lake.snapshot()
    content, complaint = BAD[how]
    bad = delta(name="bad.jsonl")
    bad.write_text(content, encoding="utf-8")
    with pytest.raises(WarehouseError, match=complaint) as error:
        bring_in(raw_lake, delta(delete("P1")), bad)
    assert "bad.jsonl" in str(error.value)
    assert raw_lake.snapshot() == before


def test_a_parquet_file_cut_short_is_refused(raw_lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "delta.parquet"
    pl.DataFrame([delete("P1")]).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WarehouseError, match=r"delta\.parquet cannot be read"):
        bring_in(raw_lake, path)
    assert "us:P1" in titles(raw_lake)


def test_a_damaged_file_rolls_back_the_files_before_it(raw_lake: Lake, delta: Write, tmp_path: Path) -> None:
    path = tmp_path / "delta.parquet"
    rows = [upsert(f"P{number}", f"Title {number * 7919 % 3001}") for number in range(3000)]
    pl.DataFrame(rows).write_parquet(path, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 200 : middle + 200] = bytes(byte ^ 0x5A for byte in content[middle - 200 : middle + 200])
    path.write_bytes(content)
    before = raw_lake.snapshot()
    files = check_deltas([delta(delete("P1")), path], NOW)  # its columns and its end are whole
    with pytest.raises(WarehouseError, match=r"delta\.parquet cannot be read"):
        apply_deltas(raw_lake, files)
    assert raw_lake.snapshot() == before


def test_a_full_file_replaces_what_deltas_said_and_older_events_come_too_late(
    raw_lake: Lake, delta: Write, write: Write, products: list[Row], product: Callable[..., Row]
) -> None:
    bring_in(raw_lake, delta(delete("P1", NOON), upsert("P2", "Cup", NOON)))
    ingest(raw_lake, write(products=[*products, product("P6", "us", "Rug")]))
    assert titles(raw_lake) == {"us:P1": "Nike <b>Running</b> Shoes 42", "us:P2": "Plain Mug", "us:P6": "Rug"}
    (late,) = bring_in(raw_lake, delta(delete("P1", EARLIER), delete("P6", EARLIER), delete("P2", LATER)))
    assert counts(late) == {"deleted": 1, "late": 2}


def test_the_same_full_file_again_does_not_undo_the_deltas(
    lake: Lake, delta: Write, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write()
    ingest(lake, folder)
    bring_in(lake, delta(upsert("P1", "Boots")))
    before = lake.snapshot()
    monkeypatch.setitem(vars(CONTRACTS["raw.products"]), "version", "another")  # nor does a new version of the contract
    ingest(lake, folder)
    assert (lake.snapshot(), titles(lake)["us:P1"]) == (before, "Boots")


def test_history_lists_every_file_with_its_first_checkpoint(raw_lake: Lake, delta: Write, tmp_path: Path) -> None:
    home = Home(raw_lake.root.parent, raw_lake.settings)
    assert delta_history(home) == []
    bring_in(raw_lake, delta(delete("P1"), name="a.jsonl"))
    point = checkpoints.create(raw_lake, "run", datetime(2026, 1, 1, tzinfo=UTC))
    bring_in(raw_lake, delta(upsert(None, "x"), delete("P0"), name="b.jsonl"))
    entries = [
        (row["sequence_number"], row["name"], row["deleted"], row["refused"], row["as_of"])
        for row in delta_history(home)
    ]
    assert entries == [(1, "a.jsonl", 1, 0, point), (2, "b.jsonl", 0, 1, None)]


def fingerprint(lake: Lake, table: str) -> str:
    with lake.reading() as connection:
        return tables.fingerprint(connection, CONTRACTS[table]) if tables.exists(connection, table) else ""


def content(lake: Lake) -> dict[str, list[Any]]:
    """Return the content of the raw tables without snapshot ids, which depend on the batches."""
    content_by_table = {}
    with lake.reading() as connection:
        for table in RAW:
            if tables.exists(connection, table):
                without = "EXCLUDE (snapshot)" if table == "raw.deltas" else ""
                content_by_table[table] = connection.sql(f"SELECT * {without} FROM {table} ORDER BY ALL").fetchall()
    return {table: rows for table, rows in content_by_table.items() if rows}


WORDS = st.builds(
    lambda op, product, title, time: upsert(product, title, time) if op else delete(product, time),
    st.booleans(),
    st.sampled_from(["P1", "P2", "P3"]),
    st.sampled_from(["One", "Two", " "]),
    st.sampled_from([None, EARLIER, NOON, LATER]),
)
STEPS = st.lists(
    st.one_of(st.lists(WORDS, min_size=1, max_size=3), st.sampled_from([("P1",), ("P1", "P2")])), max_size=5
)


@pytest.fixture
def begun(tmp_path: Path, judgement: Callable[..., Row], product: Callable[..., Row]) -> Lake:
    """Return a lake after a first full snapshot, to be copied."""
    lake = Lake(tmp_path / "begun", WarehouseSettings(threads=1))
    ingest(lake, _writer(tmp_path, judgement, product)(0, ("P1", "P2", "P3")))
    return lake


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, data=st.data())
def test_one_by_one_and_in_batches_end_in_the_same_tables(
    begun: Lake,
    tmp_path_factory: pytest.TempPathFactory,
    judgement: Callable[..., Row],
    product: Callable[..., Row],
    steps: Any,
    data: Any,
) -> None:
    folder = tmp_path_factory.mktemp("deltas")
    lakes = [Lake(folder / name, WarehouseSettings(threads=1)) for name in ("one", "batches")]
    writes = _writer(folder, judgement, product)
    waiting: list[Path] = []
    for lake in lakes:
        shutil.copytree(begun.root, lake.root)
    for number, step in enumerate(steps, 1):
        if isinstance(step, tuple):
            raw = writes(number, step)
            bring_in(lakes[1], *waiting, is_replay=True)
            waiting = []
            for lake in lakes:
                ingest(lake, raw, input_files(raw, NOW), is_replay=True)
            continue
        path = folder / f"{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in step), encoding="utf-8")
        bring_in(lakes[0], path, is_replay=True)
        waiting.append(path)
        if data.draw(st.booleans()):
            bring_in(lakes[1], *waiting, is_replay=True)
            waiting = []
    bring_in(lakes[1], *waiting, is_replay=True)
    assert content(lakes[0]) == content(lakes[1])
    assert titles(lakes[0]) == _expected([("P1", "P2", "P3"), *steps])
    shutil.rmtree(folder)


def _writer(folder: Path, judgement: Callable[..., Row], product: Callable[..., Row]) -> Callable[..., Path]:
    def write(number: int, ids: tuple[str, ...]) -> Path:
        raw = folder / f"raw{number}"
        raw.mkdir()
        rows = [product(name, "us", f"{name} of {len(ids)}") for name in ids]
        schema = dict.fromkeys(rows[0], pl.String)
        pl.DataFrame(rows, schema=schema).write_parquet(raw / "shopping_queries_dataset_products.parquet")
        judged = pl.DataFrame([judgement(1, "mug", 1, "P1", "us", "E", "train")])
        judged.write_parquet(raw / "shopping_queries_dataset_examples.parquet")
        return raw

    return write


def _expected(steps: list[Any]) -> dict[str, str]:
    """Return the expected titles, computed change by change without tables."""
    present: dict[str, str] = {}
    times: dict[str, str] = {}
    newest, last = "", None
    for step in steps:
        if isinstance(step, tuple):
            if step != last:
                newest = max([newest, *times.values()])
                present, times, last = {f"us:{name}": f"{name} of {len(step)}" for name in step}, {}, step
            continue
        for change in step:
            key, time = f"us:{change['product_id']}", change.get("event_time", "")
            if change.get("product_title") == " " or (time and time < max(newest, times.get(key, ""))):
                continue
            times[key] = max(time, times.get(key, ""))
            if change["op"] == "upsert":
                present[key] = change["product_title"]
            else:
                present.pop(key, None)
    return present
