"""Every source names the format of a wrong file in the same words, and counts lines as an editor does."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.delta_rows import check_rows
from warehouse.ingest.sources import input_files
from warehouse.readers.file_bytes import line_of, refuse_encoding

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = "shopping_queries_dataset_products.parquet"
SOURCES = "shopping_queries_dataset_sources.csv"
ROW = {"op": "upsert", "product_locale": "us", "product_id": "P9", "product_title": "Café"}
LINE = json.dumps(ROW, ensure_ascii=False)


def complaint(path: Path) -> str:
    """Return the error message for a delta file; empty if it is valid."""
    try:
        (file,) = check_deltas([path], NOW)
        check_rows(file, batch_rows=10, memory_gb=1.0)
    except WarehouseError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf8_is_accepted_with_or_without_a_byte_order_mark_and_compressed_or_not(
    tmp_path: Path, encoding: str, end: str, packed: bool
) -> None:
    content = f"{LINE}{end}{end}{LINE}{end}".encode(encoding)
    path = tmp_path / ("delta.jsonl.gz" if packed else "delta.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert complaint(path) == ""


def test_the_sources_file_may_have_a_byte_order_mark(write: Callable[..., Path]) -> None:
    folder = write()
    (folder / SOURCES).write_text("query_id,source\n1,a\n", encoding="utf-8-sig")
    assert len(input_files(folder, NOW)) == 3


ENCODINGS = {
    "utf-16": "is UTF-16, not UTF-8\n  convert the file: iconv -f UTF-16 -t UTF-8 {path} > NEW",
    "utf-16-le": "is UTF-16, not UTF-8",
    "utf-16-be": "is UTF-16, not UTF-8",
    "utf-32": "is UTF-32, not UTF-8",
    "latin-1": "line 3 is not UTF-8: it has the byte 0xE9\n  the file may be Windows-1252; "
    "convert the file: iconv -f WINDOWS-1252 -t UTF-8 {path} > NEW",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("packed", [False, True])
def test_another_encoding_of_json_lines_is_named_and_no_new_download_advised(
    tmp_path: Path, encoding: str, packed: bool
) -> None:
    content = f"{LINE.replace('é', 'e')}\n\n{LINE}\n".encode(encoding)
    path = tmp_path / ("delta.jsonl.gz" if packed else "delta.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    said = complaint(path)
    assert ENCODINGS[encoding].format(path=path) in said
    assert "download" not in said


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_of_the_sources_file_gets_the_same_error(write: Callable[..., Path], encoding: str) -> None:
    folder = write()
    (folder / SOURCES).write_bytes("query_id,source\n1,cafe\n2,café\n".encode(encoding))
    with pytest.raises(WarehouseError) as refused:
        input_files(folder, NOW)
    assert ENCODINGS[encoding].format(path=folder / SOURCES) in str(refused.value)


def test_text_in_parquet_that_is_not_utf8_is_no_matter_of_downloading(tmp_path: Path) -> None:
    path = tmp_path / "delta.parquet"
    pl.DataFrame([ROW | {"product_title": "Cafe"}]).write_parquet(path, compression="uncompressed", statistics=False)
    path.write_bytes(path.read_bytes().replace(b"Cafe", b"Caf\xe9"))
    said = complaint(path)
    assert "cannot be read" in said
    assert "write the text columns of the file as UTF-8" in said


def test_a_character_that_two_chunks_share_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.readers.file_bytes._CHUNK", 3)
    path = tmp_path / "text"
    path.write_text("aaééé\nb", encoding="utf-8")
    refuse_encoding(path)
    path.write_bytes("aaééé\nbb\n".encode() + b"cc\xff")
    with pytest.raises(WarehouseError, match="line 3 is not UTF-8: it has the byte 0xFF"):
        refuse_encoding(path)
    path.write_bytes("aaé".encode()[:-1])
    with pytest.raises(WarehouseError, match="line 1 is not UTF-8"):
        refuse_encoding(path)


BROKEN = {
    '{"op": "upse': "cannot be read: line 4 is not JSON",
    "42": "line 4 is not a JSON object",
    "[]": "line 4 is not a JSON object",
    '{"op": "delete", "op": "upsert"}': "line 4 names a column twice",
}


@pytest.mark.parametrize("line", BROKEN)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bad_line_is_named_by_its_number_in_the_file(tmp_path: Path, line: str, end: str) -> None:
    path = tmp_path / "delta.jsonl"
    path.write_bytes(end.join([LINE, "", " \t", line, LINE]).encode())
    assert BROKEN[line] in complaint(path)


def test_a_table_as_text_is_said_to_be_no_json(tmp_path: Path) -> None:
    path = tmp_path / "delta.csv"
    path.write_text("op,product_id\nupsert,P1\n", encoding="utf-8")
    assert "line 1 is not JSON" in complaint(path)
    assert "write the delta file as JSON lines or parquet" in complaint(path)


def test_the_lines_of_rows_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    path = tmp_path / "delta.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\na\r\n\n \nb\nc")
    assert [line_of(path, row) for row in range(3)] == [2, 5, 6]


@pytest.mark.parametrize("content", ["", "\n", " \r\n\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_without_a_row_are_refused(tmp_path: Path, content: str, packed: bool) -> None:
    path = tmp_path / ("delta.jsonl.gz" if packed else "delta.jsonl")
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert "has no rows" in complaint(path)


def test_parquet_without_a_row_gets_the_same_error(tmp_path: Path) -> None:
    path = tmp_path / "delta.parquet"
    pl.DataFrame([ROW]).clear().write_parquet(path)
    assert "has no rows" in complaint(path)


@pytest.mark.parametrize("name", ["delta.jsonl", "delta.parquet"])
def test_what_is_packed_and_does_not_say_so_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(LINE.encode()))
    assert "is compressed with gzip" in complaint(tmp_path / name)


def test_a_compressed_full_file_gets_the_same_error(write: Callable[..., Path]) -> None:
    folder = write()
    (folder / PRODUCTS).write_bytes(gzip.compress((folder / PRODUCTS).read_bytes()))
    with pytest.raises(WarehouseError, match="is compressed with gzip"):
        input_files(folder, NOW)


def test_a_packed_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "delta.jsonl.gz"
    path.write_bytes(gzip.compress(f"{LINE}\n".encode() * 50)[:-12])
    assert "cannot be read" in complaint(path)


def test_a_packed_file_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path, packed = tmp_path / "delta.jsonl.gz", bytearray(gzip.compress(f"{LINE}\n".encode() * 50))
    packed[12:20] = b"\xff" * 8
    path.write_bytes(packed)
    assert "cannot be read" in complaint(path)


ALIKE = {
    "twice": (["product_id", "product_id"], "has the column product_id twice"),
    "in two cases": (["product_id", "Product_ID"], "has the column product_id twice"),
    "in another case": (["Product_ID"], "has a column 'Product_ID', not 'product_id'"),
    "with a blank": (["product_id "], "has a column 'product_id ', not 'product_id'"),
}


def parquet(path: Path, names: list[str]) -> None:
    """Write a parquet file with these columns instead of product_id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    others = (*ROW, "product_description", "product_bullet_point", "product_brand", "product_color")
    columns = [*names, *(name for name in others if name not in ("product_id", "op"))]
    if "delta" in path.name:
        columns.append("op")
    arrays = [pa.array([str(ROW.get(name, "P9"))]) for name in columns]
    pq.write_table(pa.Table.from_arrays(arrays, names=columns), path)


@pytest.mark.parametrize("how", ALIKE)
def test_similar_column_names_are_refused_by_every_source(tmp_path: Path, write: Callable[..., Path], how: str) -> None:
    names, said = ALIKE[how]
    parquet(tmp_path / "delta.parquet", names)
    assert said in complaint(tmp_path / "delta.parquet")
    folder = write()
    parquet(folder / PRODUCTS, names)
    with pytest.raises(WarehouseError) as refused:
        input_files(folder, NOW)
    assert said in refused.value.message
    if len(set(names)) == len(names):
        lines = [{name: value for name, value in ROW.items() if name != "product_id"} | {each: "P9"} for each in names]
        path = tmp_path / "delta.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        assert said in complaint(path)


def test_the_names_inside_of_a_nested_column_are_none_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "delta.parquet"
    query = "SELECT 'delete' AS op, 'us' AS product_locale, {'product_id': 'x', 'op': 'y'} AS extra, 'P1' AS product_id"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    assert complaint(path) == ""
