"""Formats: what a source file is (parquet, csv or JSON, gzipped or not), found out from its first bytes where nobody said."""

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from warehouse.declaration.source import Format, Quoting, Source
from warehouse.errors import WarehouseError
from warehouse.readers.file_bytes import POINTER, check_utf8, whole_file

_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_MARKS = {  # longest first: the mark of UTF-32 begins as that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_QUOTING: Mapping[Quoting, Mapping[str, Any]] = {
    "doubled": {},
    "backslash": {"escapechar": "\\", "doublequote": False},
    "none": {"quoting": csv.QUOTE_NONE},
}
_DELIMITERS = ("\t", ";", "|", ",")  # the likeliest to stand in a text last
_HEAD_CHARS, _HEAD_RECORDS = 1 << 18, 100
_HEADER_LINES = 5  # among which a header is looked for
_CHUNK = 1 << 20
_FIELD_CHARS = 1 << 24


@dataclass(frozen=True)
class SourceFile:
    """Hold a file of a source, and how to read it.

    Attributes:
        path: the file.
        format: parquet, csv or json.
        is_gzipped: whether the file is compressed with gzip.
        encoding: Python's name of the encoding of a text file.
        delimiter: the delimiter of a csv file.
        quoting: how a csv file writes a quotation mark in a quoted field, or that no field is quoted.
        header_row: the line of a csv file with the names of the columns, from 1.
        is_array: whether a JSON file is one list, not one object a line.
        names: the columns of a csv file, or the top-level names in the first objects of a JSON file; of parquet none.
    """

    path: Path
    format: Format
    is_gzipped: bool = False
    encoding: str = "utf-8"
    delimiter: str = ","
    quoting: Quoting = "doubled"
    header_row: int = 1
    is_array: bool = False
    names: tuple[str, ...] = ()

    def text(self) -> IO[str]:
        """Open the file as text; a byte order mark is left out."""
        return io.TextIOWrapper(_opened(self.path, self.is_gzipped), encoding=self.encoding, newline="")

    def records(self, file: IO[str] | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield the records of a csv file after its header: the line of each, from 1, and its fields."""
        csv.field_size_limit(_FIELD_CHARS)
        with file or self.text() as text:
            for _ in range(self.header_row - 1):
                next(text, None)
            reader, first = csv.reader(text, delimiter=self.delimiter, **_QUOTING[self.quoting]), self.header_row
            next(reader, None)
            while True:
                line = first + reader.line_num
                try:
                    record = next(reader, None)
                except csv.Error as error:
                    raise WarehouseError(
                        f"{self.path}: line {line:,} cannot be read as csv: {error}",
                        "correct the line, or set quoting or delimiter in stockroom.toml",
                    ) from error
                if record is None:
                    return
                if record:
                    yield line, record

    def places(self, rows: Sequence[int]) -> list[str]:
        """Return where rows, given by numbers from 0, are: the line of a text file, else the number; both from 1."""
        if self.format == "parquet" or self.is_array:
            return [f"row {row + 1}" for row in rows]
        wanted, last = set(rows), max(rows, default=-1)
        with self.text() as text:
            if self.format == "csv":
                lines = (line for line, _ in self.records(text))
            else:
                lines = (number for number, line in enumerate(text, 1) if line.strip())
            found = {row: line for row, line in enumerate(islice(lines, last + 1)) if row in wanted}
        return [f"line {found.get(row, 0)}" for row in rows]


csv.field_size_limit(2**31 - 1)  # of a process; a description may be longer than the 131,072 characters of the default


def source_file(path: Path, source: Source | None = None) -> SourceFile:
    """Find out how to read a file; what the source declares is taken as it is.

    Raises:
        WarehouseError: The file is empty, a git-lfs pointer, a spreadsheet, or text in an encoding that nobody declared.
    """
    with path.open("rb") as opened:
        head = opened.read(len(POINTER))
    if not head:
        raise WarehouseError(f"{path} is empty", "give a file with rows, or leave the file out of the source")
    if head.startswith(POINTER):
        raise WarehouseError(
            f"{path} is a git-lfs pointer, not the data", "fetch the data with: git lfs pull (in its repository)"
        )
    if head.startswith(_ZIP):
        raise WarehouseError(
            f"{path} is a zip archive or a spreadsheet", "unpack the archive, or save the sheet as CSV in UTF-8"
        )
    declared = source.format if source is not None else None
    if declared == "parquet" or (declared is None and head.startswith(_PARQUET)):
        return SourceFile(path, "parquet")
    is_gzipped = head.startswith(_GZIP)
    encoding = _encoding(path, is_gzipped, source.encoding if source is not None else None)
    with whole_file(path), io.TextIOWrapper(_opened(path, is_gzipped), encoding=encoding, newline="") as text:
        try:
            beginning = text.read(_HEAD_CHARS)
        except UnicodeError as error:
            raise WarehouseError(
                f"{path} is not {encoding}: {error}", "correct encoding in stockroom.toml, or save the file as UTF-8"
            ) from error
    first = beginning.lstrip()[:1]
    if declared == "json" or (declared is None and first in ("{", "[")):
        is_array = first == "["
        return SourceFile(path, "json", is_gzipped, encoding, is_array=is_array, names=_json_names(beginning, is_array))
    if "\r" in beginning and "\n" not in beginning:
        raise WarehouseError(
            f"{path} ends its lines with a carriage return alone", f"convert the file: tr '\\r' '\\n' < {path} > NEW"
        )
    header_row = source.header_row if source is not None else 1
    lines = beginning.split("\n")[header_row - 1 :]
    delimiter = (source.delimiter if source is not None else None) or _delimiter(lines)
    whole_lines = lines[:-1] if len(beginning) == _HEAD_CHARS else lines  # the last may be cut off
    quoting = (source.quoting if source is not None else None) or _quoting(whole_lines, delimiter)
    names = tuple(
        name.strip().lstrip("\ufeff") for name in next(csv.reader(lines, delimiter=delimiter, **_QUOTING[quoting]), [])
    )
    return SourceFile(path, "csv", is_gzipped, encoding, delimiter, quoting, header_row, names=names)


def header_rows(file: SourceFile) -> dict[int, list[str]]:
    """Return the first lines of a csv file as lists of names, by line."""
    with file.text() as text:
        return {
            number: [name.strip() for name in next(csv.reader([line], delimiter=file.delimiter), [])]
            for number, line in enumerate(islice(text, _HEADER_LINES), 1)
        }


def utf8_copy(file: SourceFile, folder: Path) -> Path:
    """Write a text file of another encoding as UTF-8 into a folder, and return the path of the copy.

    Raises:
        WarehouseError: A byte does not belong to the encoding; the message names the line.
    """
    copy = folder / f"{file.path.name.removesuffix('.gz')}.utf8"
    line = 1
    with file.text() as source, copy.open("w", encoding="utf-8", newline="") as target:
        try:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
                line += chunk.count("\n")
        except UnicodeError as error:
            raise WarehouseError(
                f"{file.path}: text after line {line} is not {file.encoding}: {error}",
                "correct encoding in stockroom.toml, or save the file as UTF-8",
            ) from error
    return copy


def _opened(path: Path, is_gzipped: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if is_gzipped else path.open("rb")


def _encoding(path: Path, is_gzipped: bool, declared: str | None) -> str:
    """Return the encoding of a text file: as declared, by its byte order mark, else UTF-8 if all of it is."""
    with _opened(path, is_gzipped) as file:
        with whole_file(path):
            chunk = file.read(_CHUNK)
        if declared is not None:
            encoding = _known_encoding(declared)
            if not encoding.startswith("utf") and _is_utf8_beyond_ascii(chunk):
                raise WarehouseError(
                    f"{path} is UTF-8, and its source declares {declared}",
                    f"convert the file (iconv -f utf-8 -t {declared}), or correct encoding in stockroom.toml",
                )
            return "utf-8-sig" if encoding == "utf-8" else encoding
        for mark, encoding in _MARKS.items():
            if chunk.startswith(mark):
                return encoding
        if b"\0" in chunk[:4]:
            return "utf-16-le" if chunk[1:2] == b"\0" else "utf-16-be"
        hint = (
            'declare the encoding of the source in stockroom.toml, such as encoding = "windows-1252" or "shift_jis"; '
            "stockroom init has --encoding"
        )
        check_utf8(path, file, chunk, hint)
    return "utf-8"


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise WarehouseError(
            f"encoding {name!r} is unknown", "use a name such as utf-8, utf-16, windows-1252 or shift_jis"
        ) from None


def _is_utf8_beyond_ascii(chunk: bytes) -> bool:
    """Tell whether bytes are UTF-8 with letters beyond ASCII, which text of another encoding hardly ever is by chance."""
    try:
        text, _ = codecs.utf_8_decode(chunk)  # a letter that the chunk cuts off is left out
    except UnicodeDecodeError:
        return False
    return not text.isascii()


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that splits the first records into the same number of fields most often, then into the most."""
    best, best_score = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        records = [record for record in islice(csv.reader(lines, delimiter=delimiter), _HEAD_RECORDS + 1) if record]
        complete = records[:-1] if len(records) > _HEAD_RECORDS else records
        width = len(complete[0]) if complete else 0
        if width < 2:
            continue
        even = sum(len(record) == width for record in complete) / len(complete)
        if (even, width) > best_score:
            best, best_score = delimiter, (even, width)
    return best


def _quoting(beginning: Sequence[str], delimiter: str) -> Quoting:
    """Return the first way of quoting by which the first records are well formed and as wide as the first; else doubled."""
    has_backslash = any('\\"' in line for line in beginning)
    for quoting, options in _QUOTING.items():
        if quoting == "backslash" and not has_backslash:
            continue
        reader = csv.reader(beginning, delimiter=delimiter, strict=True, **options)
        try:
            records = [record for record in islice(reader, _HEAD_RECORDS) if record]
        except csv.Error:
            continue
        if all(len(record) == len(records[0]) for record in records):
            return quoting
    return "doubled"


def _json_names(beginning: str, is_array: bool) -> tuple[str, ...]:
    """Return the names in the first objects of a JSON file, in order of appearance."""
    names: dict[str, None] = {}
    decoder, position = json.JSONDecoder(), beginning.find("[") + 1 if is_array else 0
    for _ in range(_HEAD_RECORDS):
        while beginning[position : position + 1].isspace() or beginning[position : position + 1] == ",":
            position += 1
        try:
            value, position = decoder.raw_decode(beginning, position)
        except ValueError:
            break
        if isinstance(value, dict):
            names |= dict.fromkeys(map(str, value))
    return tuple(names)
