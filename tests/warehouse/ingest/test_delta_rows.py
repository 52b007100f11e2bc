"""Full files, parquet deltas and JSON-lines deltas refuse the same rows, by the same rules."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.delta_rows import batches, check_rows
from warehouse.ingest.deltas import apply_deltas
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import SOURCE_SPECS, input_files
from warehouse.lake.lake import Lake, connect

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
Row = dict[str, Any]

INFINITE = float("inf")
PRODUCT: Row = {
    "product_id": "P1",
    "product_title": "Mug",
    "product_description": None,
    "product_bullet_point": None,
    "product_brand": None,
    "product_color": None,
    "product_locale": "us",
}
JUDGEMENT: Row = {
    "example_id": 1,
    "query": "mug",
    "query_id": 1,
    "product_id": "P1",
    "product_locale": "us",
    "esci_label": "E",
    "small_version": 1,
    "large_version": 1,
    "split": "train",
}
TABLES = {"product": PRODUCT, "judgement": JUDGEMENT}

NESTED = [{"a": 1}, ["a"]]
BAD = [
    *(
        ("product", "product_id", value, "product_id_malformed")
        for value in (" P1", "P1 ", "P\n1", "P\u200b1", "P\u00a01", "\t")
    ),
    ("product", "product_id", None, "product_id_missing"),
    ("product", "product_id", "", "product_id_empty"),
    ("product", "product_id", "x" * 257, "product_id_too_long"),
    *(("product", "product_id", value, "product_id_wrong_type") for value in (12345, 12345.0, True, *NESTED)),
    ("product", "product_locale", "U.S.", "product_locale_malformed"),
    ("product", "product_locale", "en" + "-12345678" * 4, "product_locale_too_long"),
    ("judgement", "product_locale", "all", "product_locale_reserved"),
    ("product", "product_title", None, "product_title_missing"),
    ("product", "product_title", " \u00a0", "product_title_blank"),
    *(("product", "product_title", value, "product_title_wrong_type") for value in (42, False, *NESTED)),
    *(("product", "product_brand", value, "product_brand_wrong_type") for value in (42, *NESTED)),
    *(("judgement", "query_id", value, "query_id_wrong_type") for value in ("1", 12345.0, *NESTED)),
    ("judgement", "query_id", None, "query_id_missing"),
    ("judgement", "example_id", 2**63, "example_id_missing"),
    ("judgement", "small_version", 1.5, "small_version_wrong_type"),
    ("judgement", "product_id", "P1\r", "product_id_malformed"),
    ("judgement", "query", " ", "query_blank"),
    *(("judgement", "query", value, "query_wrong_type") for value in NESTED),
    ("judgement", "esci_label", "X", "unknown_label"),
    ("judgement", "split", "dev", "unknown_split"),
    ("judgement", "event_time", NOW + timedelta(microseconds=1), "event_time_in_future"),
    ("judgement", "event_time", INFINITE, "event_time_malformed"),
    ("judgement", "event_time", 1_718_000_000, "event_time_wrong_type"),
    *(("judgement", "event_time", value, "event_time_wrong_type") for value in NESTED),
]
IDS = [f"{column}={str(value)[:12]!r}" for _, column, value, _ in BAD]


def column(name: str, value: Any, of: Row) -> pl.Series:
    """Return a column with one value, of the type that a parquet writer would choose."""
    if value == INFINITE:  # as parquet has an infinite time
        return pl.Series(name, [2**63 - 1]).cast(pl.Datetime("us", "UTC"))
    dtype = pl.UInt64 if isinstance(value, int) and value > 2**62 else None
    if value is None:
        dtype = pl.Int64 if isinstance(of.get(name), int) else pl.String
    return pl.Series(name, [value], dtype=dtype)


def frame(row: Row, of: Row) -> pl.DataFrame:
    return pl.DataFrame([column(name, value, of) for name, value in row.items()])


def full(folder: Path, table: str, row: Row) -> None:
    """Ingest a folder in which one of the two files has only this row."""
    rows = {**TABLES, table: row}
    for source_spec, (name, each) in zip(SOURCE_SPECS, rows.items(), strict=False):
        frame(each, TABLES[name]).write_parquet(folder / source_spec.file_name)
    ingest(Lake(folder / "lake"), folder, input_files(folder, NOW))


def delta_parquet(folder: Path, table: str, row: Row) -> None:
    """Check a parquet delta that upserts this row."""
    path = folder / "delta.parquet"
    frame({"op": "upsert", **row}, TABLES[table]).write_parquet(path)
    check(path)


def delta_json(folder: Path, table: str, row: Row) -> None:
    """Check a JSON-lines delta that upserts this row."""
    values = {name: json_value(value) for name, value in row.items()}
    path = folder / "delta.jsonl"
    path.write_text(json.dumps({"op": "upsert", **values}) + "\n", encoding="utf-8")
    check(path)


def json_value(value: Any) -> Any:
    if value == INFINITE:
        return "infinity"
    return value.isoformat() if isinstance(value, datetime) else value


def check(path: Path) -> None:
    (file,) = check_deltas([path], NOW)
    check_rows(file, batch_rows=10, memory_gb=1.0)


@pytest.mark.parametrize("source_spec", [full, delta_parquet, delta_json], ids=["full", "delta_parquet", "delta_json"])
@pytest.mark.parametrize(("table", "name", "value", "rule"), BAD, ids=IDS)
def test_every_source_refuses_a_bad_value_by_the_same_rule(
    tmp_path: Path, source_spec: Callable[[Path, str, Row], None], table: str, name: str, value: Any, rule: str
) -> None:
    with pytest.raises(WarehouseError) as refused:
        source_spec(tmp_path, table, {**TABLES[table], name: value})
    assert rule in refused.value.message
    assert "\n" not in refused.value.message
    assert not (tmp_path / "lake").exists()


GOOD = [
    ("product", "product_id", "SKU 12/a ナ"),
    ("product", "product_id", "x" * 256),
    ("judgement", "small_version", True),
    ("judgement", "event_time", NOW),
]


@pytest.mark.parametrize("source_spec", [full, delta_parquet, delta_json], ids=["full", "delta_parquet", "delta_json"])
@pytest.mark.parametrize(("table", "name", "value"), GOOD, ids=[f"{name}={str(value)[:12]}" for _, name, value in GOOD])
def test_every_source_accepts_a_valid_value(
    tmp_path: Path, source_spec: Callable[[Path, str, Row], None], table: str, name: str, value: Any
) -> None:
    rows = {**TABLES[table], name: value}
    if table == "product" and source_spec is full:
        frame({**JUDGEMENT, "product_id": value}, JUDGEMENT).write_parquet(tmp_path / SOURCE_SPECS[1].file_name)
        frame(rows, PRODUCT).write_parquet(tmp_path / SOURCE_SPECS[0].file_name)
        ingest(Lake(tmp_path / "lake"), tmp_path, input_files(tmp_path, NOW))
    else:
        source_spec(tmp_path, table, rows)


@pytest.mark.parametrize("op", ["upsert", "delete"])
@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_the_locale_of_a_delta_row_has_its_normal_form(tmp_path: Path, op: str, suffix: str) -> None:
    path, row = tmp_path / f"delta.{suffix}", {"op": op, **PRODUCT, "product_locale": "EN_us "}
    if suffix == "parquet":
        frame(row, PRODUCT).write_parquet(path)
    else:
        path.write_text(json.dumps(row))
    (file,) = check_deltas([path], NOW)
    with connect(1.0) as connection:
        (batch,) = batches(connection, file, 10)
    rows = batch.upserts if op == "upsert" else batch.deletes
    assert rows.select("key", "product_locale").rows() == [("en-us:P1", "en-us")]


def test_a_value_of_another_type_refuses_its_row_and_no_other(filled: Lake, tmp_path: Path) -> None:
    path = tmp_path / "delta.jsonl"
    rows: list[Row] = [
        {"product_id": "N1", "product_title": "Lamp"},
        {"product_id": 12345, "product_title": {"text": "Rug"}},
        {"product_id": "N2", "product_title": "Late", "event_time": "2026-01-01T12:00:01Z"},
    ]
    lines = (json.dumps({"op": "upsert", "product_locale": "us", **row}) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    (done,) = apply_deltas(filled, check_deltas([path], NOW))
    assert (done.inserted, done.refused) == (1, 2)
    assert done.rules == {"event_time_in_future": 1, "product_id_wrong_type": 1, "product_title_wrong_type": 1}
    with filled.reading() as connection:
        refused = connection.sql("SELECT key, rule FROM quarantine.rows ORDER BY ALL").fetchall()
    assert refused == [
        ("us:12345", "product_id_wrong_type"),
        ("us:12345", "product_title_wrong_type"),
        ("us:N2", "event_time_in_future"),
    ]


@pytest.mark.parametrize("others", [0, 1])
def test_a_delta_with_only_refused_rows_rolls_back_all_files(filled: Lake, tmp_path: Path, others: int) -> None:
    bad, good = tmp_path / "bad.jsonl", tmp_path / "good.jsonl"
    bad.write_text('{"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": " "}\n')
    good.write_text('{"op": "delete", "product_locale": "us", "product_id": "P2"}\n')
    before = filled.snapshot()
    with pytest.raises(WarehouseError, match=r"bad\.jsonl: every row was refused: product_title_blank 1"):
        apply_deltas(filled, check_deltas([good, bad][1 - others :], NOW))
    assert filled.snapshot() == before
    bad.write_text('{"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Lamp"}\n')
    (done,) = apply_deltas(filled, check_deltas([bad], NOW))
    assert (done.is_new, done.sequence_number, done.inserted) == (True, 1, 1)


FIRST = [
    ([{"product_title": " "}], 'line 1 (us:N0) has product_title " "'),
    ([{"product_id": 12345}], "line 1 (us:12345) has product_id 12345"),
    ([{"product_title": {"text": "Rug"}}], 'line 1 (us:N0) has product_title {"text":"Rug"}'),
    ([{"product_title": None}], "line 1 (us:N0) has no product_title"),
    ([{"product_id": "P\u200b1\n"}], r'line 1 (us:P\u200b1\n) has product_id "P\u200b1\n"'),
    ([{"product_id": "x" * 300}], f'has product_id "{"x" * 59}…'),
    ([{"op": "remove", "product_title": None}], 'line 1 (us:N0) has op "remove"'),
    ([{"event_time": "yesterday"}], 'line 1 (us:N0) has event_time "yesterday"'),
    ([{"event_time": "2027-01-01"}], 'line 1 (us:N0) has event_time "2027-01-01"'),
    ([{"event_time": 7}], "line 1 (us:N0) has event_time 7"),
    (
        [{"product_locale": "U.S."}, {"product_title": ""}, {"product_title": ""}],
        'line 1 (U.S.:N0) has product_locale "U.S."; line 3 (us:N1) has product_title ""',
    ),
]


@pytest.mark.parametrize(("changed", "text"), FIRST, ids=[text for _, text in FIRST])
def test_the_first_rows_of_a_refused_file_are_named(tmp_path: Path, changed: list[Row], text: str) -> None:
    path = tmp_path / "delta.jsonl"
    good = {"op": "upsert", "product_locale": "us", "product_title": "Mug"}
    lines = [json.dumps({**good, "product_id": f"N{number}", **row}) for number, row in enumerate(changed)]
    path.write_text("\n\n".join(lines))  # blank lines count, as an editor counts them
    with pytest.raises(WarehouseError) as refused:
        check(path)
    assert refused.value.message.endswith(text)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"product_title": " "}, 'row 1 (us:P1) has product_title " "'),
        ({"product_title": None}, "row 1 (us:P1) has no product_title"),
        ({"event_time": NOW + timedelta(days=1)}, "row 1 (us:P1) has event_time 2026-01-02 12:00:00+00"),
    ],
)
def test_the_first_rows_of_a_refused_parquet_file_are_named(tmp_path: Path, row: Row, text: str) -> None:
    with pytest.raises(WarehouseError) as refused:
        delta_parquet(tmp_path, "product", {**PRODUCT, **row})
    assert refused.value.message.endswith(text)


def test_of_a_delete_the_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "delta.jsonl"
    path.write_text('{"op": "delete", "product_locale": "us", "query_id": 7, "product_id": ""}')
    with pytest.raises(WarehouseError) as refused:
        check(path)
    assert refused.value.message.endswith('line 1 (us:7:) has product_id ""')
