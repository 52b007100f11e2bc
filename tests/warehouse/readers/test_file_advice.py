"""The advice for an unreadable file fits its format."""

import gzip

import pytest

from warehouse.readers.file_advice import advice, no_file

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


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ([], "is missing"),
        (["b.csv", "ab.csv"], "is missing"),
        (["a.csv"], "is missing, and its folder has a.csv"),
        (["A.parquet", "a.csv"], "is missing, and its folder has A.parquet, a.csv"),
        (["a.parquet/part-0.parquet"], "is a folder, not a file"),
    ],
)
def test_of_a_file_that_is_not_there_it_is_said_what_is(tmp_path, made, found):
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    error = no_file(tmp_path / "a.parquet", "give a file")
    assert (error.message, error.hint) == (f"{tmp_path}/a.parquet {found}", "give a file")


def test_a_link_to_nowhere_is_named_with_its_target(tmp_path):
    (tmp_path / "a.parquet").symlink_to(tmp_path / "gone")
    assert no_file(tmp_path / "a.parquet", "").message.endswith(f"is a link to {tmp_path}/gone, which does not exist")
    assert no_file(tmp_path / "none" / "a.parquet", "").message.endswith("is missing")
