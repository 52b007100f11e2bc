"""File bytes: checks of a file's bytes before its rows are read, and the line numbers of rows in a text."""

import codecs
import gzip
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

from warehouse.errors import WarehouseError

POINTER = b"version https://git-lfs"
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_WIDE = {  # longest first: the mark of UTF-32 begins as that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CHUNK = 1 << 20


def is_pointer(path: Path) -> bool:
    """Tell whether a file is a git-lfs pointer instead of its content."""
    return _first(path).startswith(POINTER)


def refuse_bytes(path: Path) -> None:
    """Refuse a git-lfs pointer, and a gzip file without the ending `.gz`.

    Raises:
        WarehouseError: The message names the file and its format.
    """
    first = _first(path)
    if first.startswith(POINTER):
        raise WarehouseError(
            f"{path} is a git-lfs pointer, not the data",
            "fetch the data with: git lfs pull (in the clone of its repository), or fetch ESCI with: stockroom download",
        )
    if first.startswith(_GZIP) and path.suffix != ".gz":
        raise WarehouseError(
            f"{path} is compressed with gzip",
            "unpack the file with gunzip, or give a file of JSON lines the ending .jsonl.gz",
        )


def refuse_other_format(path: Path) -> None:
    """Refuse a file that neither is parquet nor is called so, such as a CSV file.

    Raises:
        WarehouseError: The message names the file and its ending.
    """
    if path.suffix != ".parquet" and not _first(path).startswith(_PARQUET):
        kind = f"a {path.suffix} file" if path.suffix else "another file"
        raise WarehouseError(f"{path} is {kind}, not parquet", "write the data as parquet, then give that file")


def refuse_encoding(path: Path) -> None:
    """Refuse a text file that is not entirely UTF-8. A byte order mark of UTF-8 is accepted.

    Raises:
        WarehouseError: The file has another encoding; the message names the file, and the encoding or else the line.
    """
    with _opened(path) as file:
        with whole_file(path):
            chunk = file.read(_CHUNK)
            wide = next((name for mark, name in _WIDE.items() if chunk.startswith(mark)), None)
            if wide is None and b"\0" in chunk[:4]:  # text in UTF-16 without a mark
                wide = "UTF-16"
            if wide is not None:
                raise WarehouseError(
                    f"{path} is {wide}, not UTF-8",
                    f"convert the file: iconv -f {wide} -t UTF-8 {shlex.quote(str(path))} > NEW",
                )
        check_utf8(
            path,
            file,
            chunk,
            f"the file may be Windows-1252; convert the file: iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(str(path))} > NEW",
        )


def check_utf8(path: Path, file: IO[bytes], chunk: bytes, hint: str) -> None:
    """Read a text file to its end, and refuse bytes that are not UTF-8.

    Args:
        path: The file's name for messages.
        file: The opened file, behind `chunk`.
        chunk: The bytes that were read from the file already.
        hint: What to do with a file of another encoding.

    Raises:
        WarehouseError: The text is not UTF-8, or the file is cut off; the message names the file, and the line.
    """
    line, decoder = 1, codecs.getincrementaldecoder("utf-8")()
    with whole_file(path):
        try:
            while chunk:
                decoder.decode(chunk)
                line += chunk.count(b"\n")
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            raise WarehouseError(
                f"{path}: line {line} is not UTF-8: it has the byte 0x{error.object[error.start]:02X}", hint
            ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[None]:
    """Raise the one error of a compressed file that is cut off or corrupt where its bytes are read."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise WarehouseError(
            f"{path} cannot be read: {error}", "the file is truncated or corrupt; copy the file again from its source"
        ) from error


def line_of(path: Path, row: int) -> int:
    """Return the line number, from 1, of a row number, from 0; blank lines do not count as rows."""
    with _opened(path) as file:
        text = codecs.getreader("utf-8-sig")(file)
        rows = (number for number, line in enumerate(text, 1) if line.strip())
        return next(islice(rows, row, None))


def _first(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(POINTER))


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
