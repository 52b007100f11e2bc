"""The advice for an unreadable file fits its format."""

import gzip

import pytest

from warehouse.ingest.file_advice import advice

LINE = '{"op": "delete", "product_id": "café"}\n'
CORRUPT = "the file is truncated or corrupt; copy the file again from its source"


@pytest.mark.parametrize(
    ("name", "content", "advice_text"),
    [
        ("a.jsonl", LINE.encode("utf-16"), "save the file as UTF-8"),
        ("a.jsonl", LINE.encode("utf-16-le"), "save the file as UTF-8"),
        ("a.jsonl", LINE.encode("utf-16-be"), "save the file as UTF-8"),
        ("a.jsonl", LINE.encode("latin-1"), "the file is not UTF-8 text; save the file as UTF-8"),
        ("a.jsonl", b"\xef\xbb\xbf" + LINE.encode(), "without the mark"),
        ("a.jsonl", gzip.compress(LINE.encode(), mtime=0), "unpack the file first"),
        ("a.jsonl", b"PK\x03\x04" + bytes(60), "spreadsheet"),
        ("a.jsonl", LINE.encode()[:20], "correct the line"),
        ("a.jsonl", "é".encode()[:1], "correct the line"),  # cut in the middle of a letter
        ("a.jsonl", bytes(200), CORRUPT),
        ("a.parquet", b"PAR1" + bytes(60), CORRUPT),
        ("a.parquet", b"", CORRUPT),
        ("a.parquet", LINE.encode(), "not parquet"),
    ],
)
def test_a_format_is_recognized_by_its_first_bytes(tmp_path, name, content, advice_text):
    (tmp_path / name).write_bytes(content)
    assert advice_text in advice(tmp_path / name)
    assert (advice(tmp_path / name) == CORRUPT) == (advice_text == CORRUPT)


def test_the_advice_for_a_missing_file_is_to_create_it(tmp_path):
    assert (
        advice(tmp_path / "gone.jsonl")
        == "the file cannot be opened; check that it exists and that this user may read it"
    )
