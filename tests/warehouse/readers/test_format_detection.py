import gzip

import pytest

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.readers.format_detection import source_file

TEXT = 'id;name\n1;"a; b"\n2;"c\nd"\n\n3;e\n'


def declared(**more):
    return Source(kind="products", files=("f",), columns={"product_id": "id", "title": "name"}, **more)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), "utf-32"),
    ],
)
def test_the_encoding_of_a_text_file_is_found_out(tmp_path, content, encoding):
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    file = source_file(path)
    assert (file.format, file.encoding, file.delimiter, file.names) == ("csv", encoding, ";", ("id", "name"))
    assert [record for _, record in file.records()] == [["1", "a; b"], ["2", "c\nd"], ["3", "e"]]


def test_text_of_another_encoding_names_the_line_and_the_setting(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("id,name\n1,Hut\n2,Mütze\n".encode("latin-1"))
    with pytest.raises(WarehouseError, match="line 3 is not UTF-8: it has the byte 0xFC") as error:
        source_file(path)
    assert 'encoding = "windows-1252"' in error.value.hint
    assert source_file(path, declared(encoding="latin-1")).encoding == "iso8859-1"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("a,b\n1,2\n", ","), ("a;b\n1,5;2,5\n", ";"), ("a\tb, c\n1\t2, 3\n", "\t"), ("a|b\n1|2\n", "|"), ("a\n1\n", ",")],
)
def test_the_delimiter_is_the_one_that_splits_evenly(tmp_path, text, delimiter):
    path = tmp_path / "file"
    path.write_text(text)
    assert source_file(path).delimiter == delimiter


@pytest.mark.parametrize(
    ("text", "is_array"),
    [('{"id": 1, "name": "a"}\n{"id": 2, "more": 3}\n', False), ('[{"id": 1, "name": "a"}]', True)],
)
def test_json_is_known_by_its_first_sign(tmp_path, text, is_array):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(text.encode()))
    file = source_file(path)
    assert (file.format, file.is_gzipped, file.is_array) == ("json", True, is_array)
    assert file.names[:2] == ("id", "name")


def test_a_row_has_the_line_on_which_it_begins(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(TEXT)
    assert source_file(path).places([0, 1, 2]) == ["line 2", "line 3", "line 6"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "a zip archive or a spreadsheet"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs pointer"),
        (gzip.compress(b"id,name\n" * 1000, mtime=0)[:40], "cannot be read"),
    ],
    ids=["empty", "zip", "pointer", "truncated"],
)
def test_what_is_no_source_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=message) as error:
        source_file(path)
    assert str(path) in error.value.message
    assert error.value.hint
